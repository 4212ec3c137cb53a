#!/usr/bin/env python3
"""litestream reset -remote on real servers of every kind: all files of the replica go, what is beside
it stays, and the next replication makes a whole one."""

import json
import os
import sqlite3
import sys

sys.dont_write_bytecode = True
sys.path[:0] = [os.path.join(os.environ["LS_SRC"], "t", d) for d in ("", "cmd", "support", "servers")]
import tap
import daemon
import servers
from program import left_out

daemon.need()
CONFIG = """
dbs:
  - path: %s
    replica:
%s"""
PATH = "shop/db"
NEIGHBOUR = "%016x-%016x.ltx" % (1, 1)

folder = tap.scratch()
db, out = os.path.join(folder, "app.db"), os.path.join(folder, "out.db")
app = sqlite3.connect(db, isolation_level=None)
app.execute("PRAGMA journal_mode=wal")
app.execute("CREATE TABLE t(x)")


class Place:
    """A store of a server, with the commands that are run there."""

    def __init__(self, server, store):
        self.server, self.store = server, store
        self.config = os.path.join(folder, "litestream.yml")
        tap.write(self.config, (CONFIG % (db, store.yaml(PATH, 6))).encode())
        self.shown = ""

    def run(self, *args):
        r = tap.run(daemon.LITESTREAM, args[0], "-config", self.config, *args[1:],
                    env=dict(os.environ, **self.store.env))
        text = r.stdout.decode() + r.stderr.decode()
        self.shown += text
        return r.returncode, r.stdout.decode(), text

    def replicate(self, n):
        """A file more for each of n commits."""
        for _ in range(n):
            app.execute("INSERT INTO t VALUES (randomblob(3000))")
            rc, _, text = self.run("replicate", "-once")
            if rc != 0:
                return text
        return ""

    def files(self):
        rc, text, _ = self.run("ltx", "-level", "all", "-json", db)
        return json.loads(text) if rc == 0 else None

    def put_beside(self):
        """Files of a replica whose path begins as this one's does; False where there is no way."""
        levels = "0000" if self.store.type in ("s3", "oss") else "ltx/0"
        try:
            self.server.put_raw("%sx/%s/%s" % (PATH, levels, NEIGHBOUR), b"x" * 200)
        except NotImplementedError:
            return False
        return True

    def neighbours(self):
        """What lies in the place of those."""
        path = os.path.join(folder, "beside.yml")
        tap.write(path, (CONFIG % (db, self.store.yaml(PATH + "x", 6))).encode())
        r = tap.run(daemon.LITESTREAM, "ltx", "-json", "-config", path, db, env=dict(os.environ, **self.store.env))
        return len(json.loads(r.stdout)) if r.returncode == 0 else None


def story(name):
    server = servers.start(name)
    store = server.stores()[0]
    if not store.network or store.type in left_out():
        return server.stop()  # folders: t/cmd/reset_remote.t
    place = Place(server, store)
    beside = place.put_beside()
    why = place.replicate(3)
    before = place.files()
    rc, text, shown = place.run("reset", "-remote", "-dry-run", "-json", db)
    told = json.loads(text) if rc == 0 else {}
    tap.ok(why == "" and told.get("files") == len(before) >= 3
           and told["bytes"] == sum(f["size"] for f in before) and place.files() == before,
           "%s: -dry-run tells what there is" % name, why + shown)
    rc, text, shown = place.run("reset", "-remote", "-yes", "-json", db)
    tap.ok(rc == 0 and json.loads(text)["deleted_files"] == len(before) and place.files() == [],
           "[RST-6] %s: all files are deleted" % name, shown)
    tap.ok(not beside or place.neighbours() == 1, "... what lies beside it stays")
    rc, text, shown = place.run("reset", "-remote", "-yes", db)
    tap.ok(rc == 0 and text.startswith("Nothing to delete:\n"), "... and a second one finds nothing", shown)
    why = place.replicate(2)
    daemon.remove(out)
    rc, _, shown = place.run("restore", "-o", out, db)
    tap.equal(why + (daemon.compare(db, out) if rc == 0 else shown), "",
              "... the next replication makes a whole replica")
    tap.equal([s for s in place.store.secrets if s and s in place.shown], [], "... no secret is shown")
    return server.stop()


for kind in servers.kinds():
    missing = servers.missing(kind)
    if missing is None:
        story(kind)
    elif servers.must_be_there(kind):
        tap.ok(False, kind + " is there", missing)
    else:
        tap.skip_allowed(kind, missing)
tap.done()
