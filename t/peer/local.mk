# LTX files against the Go library: see peer.t. ltxmk writes what no program of ours does.
check_PROGRAMS += t/peer/ltxmk
t_peer_ltxmk_SOURCES = t/peer/ltxmk.c
t_peer_ltxmk_LDADD = $(LS_LIBS)
t_peer_ltxmk_LDFLAGS = $(AM_LDFLAGS) -static
TAP_TESTS += t/peer/peer.t
EXTRA_DIST += t/peer/peer.t t/peer/main.go t/peer/go.mod t/peer/go.sum t/peer/v051.mod \
	t/peer/v051.sum
