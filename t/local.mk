EXTRA_DIST += t/run t/tap.py
include t/support/local.mk
include t/engine/base/local.mk
include t/engine/ltx/local.mk
include t/engine/wal/local.mk
include t/engine/db/local.mk
include t/engine/replica/local.mk
include t/engine/restore/local.mk
include t/engine/config/local.mk
include t/engine/store/local.mk
include t/engine/control/local.mk
include t/engine/faults/local.mk
include t/servers/local.mk
include t/backends/local.mk
include t/cmd/local.mk
include t/tui/local.mk
include t/fuzz/local.mk
include t/peer/local.mk

# Needs a build whose flags another program can do without.
EXTRA_DIST += t/install.t t/rules.t t/ran.t t/modules.list t/traps.list
if !SANITIZED
TAP_TESTS += t/install.t t/rules.t
endif
include t/bench/local.mk
