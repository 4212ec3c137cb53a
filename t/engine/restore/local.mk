# Tests of engine/restore.
