#!/usr/bin/env python3
"""Two daemons, one replica in a folder, and a lease: see leases.py. And what cannot have one."""
import os
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.environ["LS_SRC"], "t", "cmd"))
import leases
import tap
import daemon

root = os.path.join(tap.scratch(), "replica")
leases.story("      path: %s\n" % root, True)
tap.equal(sorted(os.listdir(root)), ["lock.json", "ltx"], "the lease is beside the levels")

folder = tap.scratch()
config = os.path.join(folder, "litestream.yml")


def refused(text, *words):
    tap.write(config, text.encode())
    r = tap.run(daemon.LITESTREAM, "replicate", "-config", config)
    shown = (r.stdout + r.stderr).decode()
    return tap.ok(r.returncode == 1 and all(w in shown for w in words),
                  "refused: " + " ".join(words), shown)


DB = "dbs: [{path: %s/a.db, replica: {%s}}]\n" % (folder, "%s")
refused("lease: true\n" + DB % "url: 'webdav://127.0.0.1:1/x'",
        "lease: webdav replicas cannot have one", "take out lease: true")
refused(DB % "path: /x, lease: true, lease-ttl: 2s", "yml:1:", "lease-ttl: must be from 3s to 24h")
refused(DB % "path: /x, lease: maybe", "yml:1:", "lease")
tap.done()
