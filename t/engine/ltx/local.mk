# Tests of engine/ltx.
