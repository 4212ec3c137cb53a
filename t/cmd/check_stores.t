#!/usr/bin/env python3
"""litestream check against real servers of every kind: the replica is reached, the probe is written,
read, listed and removed there, and nothing is left of it; what is refused is told without secrets."""

import json
import os
import sqlite3
import sys

sys.dont_write_bytecode = True
sys.path[:0] = [os.path.join(os.environ["LS_SRC"], "t", d) for d in ("", "support", "servers")]
import tap
import daemon
import servers

daemon.need()
CONFIG = """
dbs:
  - path: %s
    replica:
%s"""

folder = tap.scratch()
db = os.path.join(folder, "app.db")
app = sqlite3.connect(db, isolation_level=None)
app.execute("PRAGMA journal_mode=wal")
app.execute("CREATE TABLE t(x)")
app.close()


def check(store, *args, settings=None):
    """The run, all it printed, and what was found by name."""
    other = servers.Store(store.label, store.type, settings or store.settings)
    config = os.path.join(folder, "litestream.yml")
    tap.write(config, (CONFIG % (db, other.yaml("shop/db", 6))).encode())
    r = tap.run(daemon.LITESTREAM, "check", "-json", "-config", config, *args, env=dict(os.environ, **store.env))
    text = r.stdout.decode() + r.stderr.decode()
    return r, text, {f["check"]: f for f in json.loads(r.stdout)["checks"]}


def left_behind(server, folders):
    """What the server has whose name or folder is that of the probe."""
    return [os.path.join(d, f) for d, below, files in os.walk(server.dir)
            for f in files + (below if folders else []) if "litestream-check" in os.path.join(d, f)]


def story(name):
    server = servers.start(name)
    store = server.stores()[0]
    r, text, found = check(store)
    probe = "skip" if store.type == "nats" else "ok"
    tap.ok(r.returncode == 0 and found["replica"]["status"] == "ok" and found["write"]["status"] == probe
           and found["clock"]["status"] == "ok" and found["replica"]["text"].endswith(" is empty"),
           "%s: the replica can be reached and written to" % name, text)
    tap.equal(left_behind(server, store.type != "sftp"), [], "... nothing is left of the probe")
    config = os.path.join(folder, "litestream.yml")
    r = tap.run(daemon.LITESTREAM, "replicate", "-once", "-config", config, env=dict(os.environ, **store.env))
    tap.equal(r.returncode, 0, "... a replica there")
    before = tap.run(daemon.LITESTREAM, "ltx", "-level", "all", "-json", "-config", config, db,
                     env=dict(os.environ, **store.env)).stdout
    r, text, found = check(store)
    after = tap.run(daemon.LITESTREAM, "ltx", "-level", "all", "-json", "-config", config, db,
                    env=dict(os.environ, **store.env)).stdout
    tap.ok(r.returncode == 0 and found["write"]["status"] == probe and before == after and len(json.loads(after)) > 0,
           "... is as before after another check", text)
    tap.ok("up to TXID 0000000000000001" in found["replica"]["text"], "... and is told of", found["replica"])
    secrets = [s for s in store.secrets if s]
    tap.equal([s for s in secrets if s in text], [], "... no secret is shown")
    key = next((k for k in ("secret-access-key", "account-key", "password", "token") if k in store.settings), None)
    if key is not None:
        wrong = dict(store.settings, **{key: "d3JvbmctYnV0LXNlY3JldA=="})
        r, text, found = check(store, settings=wrong)
        tap.ok(r.returncode == 1 and found["replica"]["status"] == "fail" and found["replica"]["hint"]
               and found["write"]["status"] == "skip" and "d3Jvbmct" not in text,
               "... a wrong %s is told, and not shown" % key, text)
    server.stop()


for name in ("versitygw", "sshd", "gcs_own", "oss", "azurite", "nats"):
    why = servers.missing(name)
    if why is not None and name in servers.allowed_skips():
        tap.skip(name, why)
    else:
        story(name)
tap.done()
