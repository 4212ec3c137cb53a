# Tests of engine/store.
