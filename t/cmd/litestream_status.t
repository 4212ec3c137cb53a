#!/usr/bin/env python3
"""litestream status and reset: local state."""

import os
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
import tap
from program import as_json, config, error, litestream, success

d = tap.scratch()
a, b, n = d + "/a.db", d + "/b.db", d + "/none.db"
c = config(d, "dbs:\n- {path: %s}\n- {path: %s, meta-path: %s/m}\n- {path: %s}\n" % (a, b, d, n))
tap.write(a, b"x")
tap.write(b, b"x")
tap.write(a + "-wal", bytes(24752))
l0 = d + "/.a.db-litestream/ltx/0"
os.makedirs(l0)
for i in [1, 2, 3]:
    tap.write("%s/%016x-%016x.ltx" % (l0, i, i), b"")
tap.write(l0 + "/%016x-%016x.ltx.tmp" % (9, 9), b"")

w = len(n) + 2
want = "".join("%s%s\n" % (x.ljust(w), y) for x, y in [
    ("database", "status           local txid        wal size"),
    (a, "ok               0000000000000003  25 kB"),
    (b, "not initialized  -                 0 B"),
    (n, "no database      -                 -")])
success(litestream("status", "-config", c), want, "status of all")
r = litestream("status", "-config", c, "-json", a)
tap.equal(as_json(r), [{"database": a, "status": "ok", "local_txid": "0000000000000003",
                        "wal_size": "25 kB", "last_verify": None, "daemon": None}], "status of one as JSON")
r = litestream("status", "-config", c, "b.db", cwd=d)
tap.ok(r.rc == 0 and r.out.splitlines()[1].startswith(b + "  not initialized"),
       "status by a relative path", r)
error(litestream("status", "-config", c, d + "/x.db"), "database not found in config: %s/x.db" % d)
error(litestream("status", "-config", c, a, b), "too many arguments")
os.makedirs(d + "/m")
os.symlink("ltx", d + "/m/ltx")
r = litestream("status", "-config", c, "-json", b)
tap.equal(as_json(r)[0]["status"], "error", "state that cannot be read is a status")

error(litestream("reset"), "database path required", "litestream reset [options] DB_PATH")
error(litestream("reset", a, b), "too many arguments")
error(litestream("reset", d + "/x.db"), "database does not exist: %s/x.db" % d)
error(litestream("reset", "-config", d + "/no.yml", a),
      "cannot read config: config file not found: %s/no.yml" % d)
success(litestream("reset", "-dry-run", a),
        "Dry run: local Litestream state would be reset for: %s\nWould remove: %s\n"
        "Files that would be removed:\n" % (a, d + "/.a.db-litestream/ltx") +
        "".join("  %s/%s\n" % (l0, f) for f in sorted(os.listdir(l0))) +
        "No files were removed.\n", "reset -dry-run names the files")
tap.equal(len(os.listdir(l0)), 4, "and removes none")
success(litestream("reset", a),
        "Resetting local Litestream state for: %s\nRemoving: %s\n"
        "Reset complete. Next replication sync will create a fresh snapshot.\n"
        % (a, d + "/.a.db-litestream/ltx"), "reset")
tap.ok(not os.path.exists(d + "/.a.db-litestream/ltx") and os.path.isdir(d + "/.a.db-litestream")
       and tap.read(a) == b"x", "the state is gone, the database is as it was")
success(litestream("reset", "-dry-run", a),
        "Dry run: local Litestream state would be reset for: %s\nWould remove: %s\n"
        "No local LTX files would be removed.\n" % (a, d + "/.a.db-litestream/ltx"),
        "reset -dry-run without files")
os.remove(d + "/m/ltx")
os.makedirs(d + "/m/ltx/0")
success(litestream("reset", "-config", c, b),
        "Resetting local Litestream state for: %s\nRemoving: %s/m/ltx\n"
        "Reset complete. Next replication sync will create a fresh snapshot.\n" % (b, d),
        "reset finds meta-path in the configuration")
success(litestream("reset", b),
        "No local state to reset for %s\nMeta directory does not exist: %s/.b.db-litestream\n"
        % (b, d), "without -config the default folder counts")
tap.done()
