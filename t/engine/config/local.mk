# Tests of engine/config.
