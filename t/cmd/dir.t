#!/usr/bin/env python3
"""Folders of databases by the commands: what they show and restore without a daemon, what one does
with a folder that it watches, and what is said where there is none. engine/store/dirs.c
engine/config/dirs.c"""

import contextlib
import json
import os
import signal
import sqlite3
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
import tap
import daemon
from program import as_json, config, error, litestream, success

daemon.need()
d = os.path.realpath(tap.scratch())
dbs = d + "/dbs"
os.makedirs(dbs + "/tenants/one")


def make(rel, rows=3):
    """Adds rows to a database, which may be new."""
    with contextlib.closing(sqlite3.connect(dbs + "/" + rel, timeout=20)) as db:
        db.execute("PRAGMA journal_mode=wal")
        db.execute("CREATE TABLE IF NOT EXISTS t(id INTEGER PRIMARY KEY, v)")
        for _ in range(rows):
            db.execute("INSERT INTO t(v) VALUES (randomblob(500))")
        db.commit()


def text(watch="true", recursive="true", pattern="*.db", more=""):
    return """
socket: {enabled: true, path: %s/s}
dbs:
  - dir: %s
    pattern: "%s"
    recursive: %s
    watch: %s
    monitor-interval: 50ms
    replica: {url: "file://%s/replica", sync-interval: 50ms}
%s""" % (d, dbs, pattern, recursive, watch, d, more)


def ctl(command, *args):
    return litestream(command, "-socket", d + "/s", *args)


def listed():
    r = ctl("list", "-json")
    return [x["path"] for x in json.loads(r.out)["databases"]] if r.rc == 0 else r


def same(rel):
    """"" if what is restored by the database's path is what it is."""
    out = d + "/restored.db"
    daemon.remove(out)
    r = litestream("restore", "-config", c, "-o", out, dbs + "/" + rel)
    return repr(r) if r.rc != 0 else daemon.compare(dbs + "/" + rel, out)


def synced(rel):
    tap.ok(tap.wait_for(lambda: ctl("sync", "-wait", dbs + "/" + rel).rc == 0, 20),
           "%s is replicated" % rel, ctl("sync", "-wait", dbs + "/" + rel))


# ---- Without a daemon ----

c = config(d, text())
make("a.db")
make("tenants/one/b.db")
tap.write(dbs + "/no.db", b"this is text")
wide = max(len(dbs + "/a.db"), len(dbs + "/tenants/one/b.db"))
success(litestream("databases", "-config", c), "%-*s  replica\n%-*s  file\n%s  file\n"
        % (wide, "path", wide, dbs + "/a.db", dbs + "/tenants/one/b.db"), "databases of a folder are listed")
r = litestream("status", "-config", c, "-json")
tap.equal([(x["database"], x["status"]) for x in as_json(r)],
          [(dbs + "/a.db", "not initialized"), (dbs + "/tenants/one/b.db", "not initialized")],
          "status shows them")
r = litestream("status", "-config", c, "-json", dbs + "/a.db")
tap.equal([x["database"] for x in as_json(r)], [dbs + "/a.db"], "... or one of them")
error(litestream("status", "-config", c, dbs + "/a.sqlite"),
      "database not found in config: %s/a.sqlite" % dbs)
r = litestream("replicate", "-once", "-config", c)
tap.ok(r.rc == 0, "replicate -once", r)
for rel in ("a.db", "tenants/one/b.db"):
    tap.equal(same(rel), "", "%s is restored by its path" % rel)
r = litestream("ltx", "-config", c, "-json", dbs + "/tenants/one/b.db")
tap.ok(r.rc == 0 and len(as_json(r)) == 1, "ltx takes a database's path", r)
tap.ok(os.path.isdir(d + "/replica/tenants/one/b.db/ltx/0"), "each has a place of its own on the replica")

# ---- What cannot be ----

for what, message, hint in (
        (text(watch="false", pattern="*.sqlite"), "no SQLite databases found in directory %s with pattern *.sqlite"
         % dbs, "check dir and pattern, or set watch: true for databases that come later"),
        (text().replace("dir: " + dbs, "dir: " + d + "/none"), "failed to scan directory %s/none: No such file or directory"
         % d, None)):
    r = litestream("replicate", "-config", config(d, what, "wrong.yml"))
    tap.ok(r.rc == 1 and ("Error: %s\n" % message) in r.err and "hint: " + (hint or "") in r.err, message, r)

# ---- With one ----

site = daemon.Daemon(c, d + "/log")
site.start()
tap.ok(tap.wait_for(lambda: listed() == [dbs + "/a.db", dbs + "/tenants/one/b.db"]),
       "a daemon has the databases of the folder", listed())
tap.ok(site.lines('msg="found databases in directory" dir=%s count=2 watch=true' % dbs), "the log counts them",
       site.text())
os.mkdir(dbs + "/tenants/two")
make("tenants/two/c.db")
synced("tenants/two/c.db")
tap.equal(same("tenants/two/c.db"), "", "a database that appears is replicated")
os.rename(dbs + "/tenants/two", dbs + "/tenants/three")
tap.ok(tap.wait_for(lambda: dbs + "/tenants/two/c.db" not in listed(), 20), "a folder is renamed", listed())
synced("tenants/three/c.db")
make("tenants/three/c.db")
synced("tenants/three/c.db")
tap.equal(same("tenants/three/c.db"), "", "what is in it is replicated to its new place")
tap.equal(os.path.isdir(d + "/replica/tenants/two/c.db"), True, "what was replicated before stays")
make("a.db")
daemon.remove(dbs + "/tenants/one/b.db")
tap.ok(tap.wait_for(lambda: dbs + "/tenants/one/b.db" not in listed(), 20), "a database is deleted", listed())
out = d + "/back.db"
r = litestream("restore", "-config", c, "-o", out, dbs + "/tenants/one/b.db")
tap.ok(r.rc == 0 and os.path.exists(out), "it can be restored by its path", r)
os.rename(out, dbs + "/tenants/one/b.db")
synced("tenants/one/b.db")
tap.equal(same("tenants/one/b.db"), "", "and goes on when it is back")
own = "  - path: %s/a.db\n    replica: {path: %s/own, sync-interval: 50ms}\n" % (dbs, d)
config(d, text(more=own))
site.process.send_signal(signal.SIGHUP)
tap.ok(tap.wait_for(lambda: len(site.lines("configuration was read again")) == 1, 20), "SIGHUP", site.text())
synced("a.db")
tap.equal(same("a.db"), "", "a database that is named by itself has its own replica")
tap.ok(os.path.isdir(d + "/own/ltx/0"), "... there")
make("tenants/three/c.db")
tap.equal(site.stop(), 0, "the daemon ends well")
tap.equal(same("tenants/three/c.db"), "", "after a last sync of what was found")
tap.equal(site.lines("level=ERROR"), [], "without an error")
tap.done()
