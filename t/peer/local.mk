# Tests of peer.
