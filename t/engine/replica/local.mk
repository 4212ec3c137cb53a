# Tests of engine/replica.
