# Tests of engine/db.
