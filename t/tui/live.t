#!/usr/bin/env python3
"""litestream-tui beside a live daemon: every action, with its outcome on the screen, in what the
daemon says of itself, and in the files; then without a daemon. Also tui/source_config.c,
tui/source_daemon.c, tui/place.c, tui/errands.c."""

import http.client
import json
import os
import re
import socket
import sqlite3
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
import tap
from support.daemon import LITESTREAM, Daemon, compare

TUI = os.path.join(tap.BUILD, "litestream-tui")
work = tap.scratch()
SOCK = os.path.join(work, "s")
CONFIG = os.path.join(work, "litestream.yml")
tap.write(CONFIG, ("""
socket: {enabled: true, path: %(w)s/s}
dbs:
  - {path: %(w)s/shop.db, monitor-interval: 20ms, replica: {path: %(w)s/r/shop, sync-interval: 20ms}}
  - {path: %(w)s/users.db, replica: {path: %(w)s/r/users, sync-interval: 1h}}
""" % {"w": work}).encode())
apps = {}


def add_rows(name, n=1, size=3000):
    """Each its own commit."""
    if name not in apps:
        apps[name] = sqlite3.connect(os.path.join(work, name), isolation_level=None, timeout=10)
        apps[name].execute("PRAGMA journal_mode = wal")
        apps[name].execute("CREATE TABLE IF NOT EXISTS t (id INTEGER PRIMARY KEY, v)")
    for _ in range(n):
        apps[name].execute("INSERT INTO t (v) VALUES (randomblob(?))", [size])


def path(name):
    return os.path.join(work, name)


class Connection(http.client.HTTPConnection):
    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(SOCK)


def call(method, route, body=None):
    """What the daemon itself says."""
    c = Connection("localhost", timeout=30)
    try:
        c.request(method, route, json.dumps(body) if body is not None else None)
        return json.loads(c.getresponse().read())
    finally:
        c.close()


def state(name):
    return next((d for d in call("GET", "/databases")["databases"] if d["path"] == path(name)), None)


def settled(name):
    d = state(name)
    return d["txid"] == d["replica_txid"] > "0" * 16 and d["status"] == "replicating"


def ready():
    """A daemon that has only begun refuses."""
    try:
        return settled("shop.db") and settled("users.db")
    except (OSError, KeyError):
        return False


def job(n):
    return next((j for j in call("GET", "/jobs")["jobs"] if j["id"] == n), {"status": "none"})


def once(view, keys="", size="160x40", options=("-config", CONFIG), env=None):
    r = tap.run(TUI, "-once", view, "-size", size, "-keys", keys, *options, cwd=work,
                env=dict(os.environ, LC_ALL="C.UTF-8", **(env or {})))
    return (r.stdout + r.stderr).decode()


def shop(keys, **kw):
    """Keys pressed with shop.db selected."""
    return once("databases", "/ shop.db enter " + keys, **kw)


def files(root, level):
    try:
        return sorted(n for n in os.listdir("%s/ltx/%d" % (root, level)) if n.endswith(".ltx"))
    except FileNotFoundError:
        return []


def saw(text, *parts):
    return all(p in text for p in parts)


def check_views():
    text = once("databases")
    tap.ok(saw(text, "● ok      %s" % path("shop.db"), path("users.db"), "database 1 of 2",
               "daemon %d" % process.process.pid), "both databases are listed", text)
    text = once("activity")
    tap.ok(saw(text, "capture", "upload", "snapshot", path("users.db"), "TXID 1"),
           "what happened before is told", text)
    text = once("levels", options=("-socket", SOCK))
    tap.ok(saw(text, "▸Levels", "snap", "L0", "✓ no gaps", path("shop.db")),
           "a view of one replica is that of the first database", text)
    text = once("databases", "down enter")
    tap.ok(saw(text, "▸Levels", "✓ no gaps", path("users.db")), "enter opens the other", text)
    text = shop("t")
    tap.ok(saw(text, "▸Timeline", "restore from here: "), "and t its timeline", text)
    text = shop("3 enter")
    tap.ok(saw(text, "Files › ", "✓ verified"), "a file of it is opened", text)
    text = shop("4 enter home down down enter ctrl-u 'opened.db enter end enter")
    tap.ok("✓ restored" in text and compare(path("shop.db"), path("opened.db")) == "",
           "it is restored from here, without the daemon", text)
    text = shop("5 v")
    tap.ok("✓ everything can be restored" in text, "and verified", text)
    text = shop("enter q esc")
    tap.ok(saw(text, "▸Databases", "q quits"), "q leads back to the databases", text)


def check_sync():
    """The other database would be captured in an hour."""
    before = int(state("users.db")["txid"], 16)
    add_rows("users.db")
    text = once("databases", "/ users.db enter S")
    now = state("users.db")
    tap.ok(int(now["txid"], 16) > before and now["txid"] == now["replica_txid"]
           and re.search(r"✓ synced, TXID %x, on the replica %x" % ((int(now["txid"], 16),) * 2), text),
           "sync and wait: the commit is on the replica", (before, now, text))
    text = shop("s")
    tap.ok(re.search(r"✓ (no change|synced local), TXID \w+", text)
           and "$ litestream sync -socket %s %s" % (SOCK, path("shop.db")) in text, "sync", text)


def check_snapshot():
    add_rows("shop.db")
    tap.wait_for(lambda: settled("shop.db"))
    before = files(path("r/shop"), 9)
    text = shop("n")
    after = files(path("r/shop"), 9)
    txid = state("shop.db")["txid"]
    tap.ok(len(after) == len(before) + 1 and after[-1] == "0000000000000001-%s.ltx" % txid
           and "✓ snapshot, TXID %x" % int(txid, 16) in text, "a snapshot is written", (after, text))


def check_verify():
    text = shop("V")
    n = int(re.search(r"✓ queued: job (\d+)", text).group(1))
    tap.wait_for(lambda: job(n)["status"] == "done")
    tap.ok(job(n)["result"]["ok"] and job(n)["result"]["full"], "a verify by the daemon", job(n))
    text = shop("")
    tap.ok(re.search(r"verified (now|\d+ s) ago: everything can be restored", text), "it is remembered", text)
    text = once("activity", "/ verify")
    tap.ok(saw(text, "✓ verify", "everything can be restored: "), "and its result on the screen", text)


def check_restore():
    text = shop("r down enter ctrl-u '%s enter end enter" % path("by-daemon.db"))
    tap.ok(saw(text, "to TXID ", " to read", "$ litestream restore -integrity-check quick -o "),
           "the plan stands in the dialog", text)
    n = max(j["id"] for j in call("GET", "/jobs")["jobs"])
    tap.wait_for(lambda: job(n)["status"] in ("done", "failed"))
    tap.ok(job(n)["status"] == "done" and compare(path("shop.db"), path("by-daemon.db")) == "",
           "the daemon restores", job(n))
    text = once("activity", "/ restored")
    tap.ok(saw(text, "✓ restore", "restored to TXID"), "and that is on the screen", text)
    text = shop("r down enter ctrl-u '%s enter end enter" % path("by-daemon.db"))
    n += 1
    tap.wait_for(lambda: job(n)["status"] in ("done", "failed"))
    text = once("activity", "/ restore")
    tap.ok(job(n)["status"] == "failed" and saw(text, "✗ restore", "already exists"),
           "an existing file is not replaced, and that is said", (job(n), text))
    text = shop("r down enter ctrl-u '%s enter down down right down enter 'shop.db enter enter"
                % path("by-daemon.db"))
    n += 1
    tap.wait_for(lambda: job(n)["status"] in ("done", "failed"))
    tap.ok(job(n)["status"] == "done" and "-force" in text, "but with replace and its name", job(n))
    text = shop("r down enter ctrl-u '%s enter end enter" % path("shop.db"))
    tap.ok("output is a database that is replicated" in text, "no database is restored over", text)
    text = shop("r enter '1 enter")
    tap.ok("to TXID 0000000000000001: 1 files" in text, "an earlier TXID has another plan", text)
    text = shop("r enter 'ffffff enter")
    tap.ok("dry run: " in text and "to read" not in text, "one that is not there has none", text)


def check_stop():
    text = shop("d down enter")
    tap.ok(state("shop.db")["status"] == "stopped" and saw(text, "✓ stopped, TXID"), "stop", text)
    text = shop("s")
    tap.ok(saw(text, "○ stopped", "Sync: database not open"), "a stopped one is not synced", text)
    before = state("shop.db")["txid"]
    add_rows("shop.db")
    text = shop("u")
    tap.ok(saw(text, "✓ started, TXID"), "start", text)
    tap.ok(tap.wait_for(lambda: settled("shop.db") and state("shop.db")["txid"] > before),
           "and what was committed meanwhile is replicated", state("shop.db"))


def check_reset():
    meta = path(".shop.db-litestream")
    before = int(state("shop.db")["txid"], 16)
    n = sum(len(files(meta, level)) for level in range(10))
    text = shop("X")
    tap.ok("%d files, " % n in text and files(meta, 0), "a reset says what it would remove", (n, text))
    text = shop("X down enter")
    tap.ok(saw(text, "was not typed") and files(meta, 0), "and does nothing without the name", text)
    text = shop("X k enter 'shop.db enter enter")
    tap.ok("✓ %d files removed; a full copy follows" % n in text, "a reset", text)
    add_rows("shop.db")
    tap.wait_for(lambda: int(state("shop.db")["txid"], 16) > before and settled("shop.db"))
    first = files(meta, 0)[0]
    tap.ok(int(first[:16], 16) > before, "the chain goes on with a full copy", (before, first))
    text = shop("d down enter") + shop("X k enter 'shop.db enter enter")
    tap.ok(state("shop.db")["status"] == "stopped" and files(meta, 0) == [],
           "a stopped database stays stopped", text)
    shop("u")
    r = tap.run(LITESTREAM, "verify", "file://" + path("r/shop"))
    tap.ok(tap.wait_for(lambda: settled("shop.db")) and r.returncode == 0, "the replica is whole", r)


def check_register():
    """The daemon may refuse to; then its error is shown, as the command shows it."""
    add_rows("new.db")
    add_rows("other.db")
    by_command = tap.run(LITESTREAM, "register", "-socket", SOCK, "-replica",
                         "file://" + path("r/other"), path("other.db"))
    text = once("databases", "a enter '%s enter down enter 'file://%s enter end enter"
                % (path("new.db"), path("r/new")))
    if by_command.returncode == 0:
        tap.ok("✓ registered" in text and state("new.db") is not None, "register", text)
    else:
        why = by_command.stderr.decode().splitlines()[0].rsplit(": ", 1)[1]
        tap.ok("failed to register" in text and why in text and state("new.db") is None, "register is refused, as told", text)
    name = "new.db" if by_command.returncode == 0 else "users.db"
    text = once("databases", "/ %s enter D k enter '%s enter enter" % (name, name))
    if by_command.returncode == 0:
        tap.ok("✓ unregistered" in text and state(name) is None, "unregister", text)
    else:
        tap.ok(re.search("unregister\\w*:? .*fixed|failed to unregister", text)
               and state(name) is not None, "unregister is refused, as told", text)


def check_cancel():
    """Two jobs run at once: the last of many waits, and is cancelled."""
    add_rows("shop.db", 40, 100000)
    tap.wait_for(lambda: settled("shop.db"))
    for _ in range(25):
        call("POST", "/verify", {"path": path("shop.db"), "full": True})
    text = once("activity", "/ queued enter c")
    found = re.search(r"✓ canceling: job (\d+)", text)
    n = int(found.group(1)) if found else 0
    tap.ok(tap.wait_for(lambda: job(n)["status"] in ("canceled", "done", "none"))
           and job(n)["status"] == "canceled", "a job is cancelled", (job(n), text))
    for j in call("GET", "/jobs")["jobs"]:
        call("POST", "/jobs/cancel", {"id": j["id"]})
    tap.wait_for(lambda: all(j["status"] not in ("queued", "running")
                             for j in call("GET", "/jobs")["jobs"]))


def check_default():
    """Without arguments: the socket that the default configuration names."""
    text = once("databases", options=(), env={"LITESTREAM_CONFIG": CONFIG})
    tap.ok(saw(text, "● ok", path("users.db")), "the default configuration leads to the daemon", text)
    text = once("databases", options=(), env={"LITESTREAM_CONFIG": path("none.yml")})
    tap.ok("litestream.sock" in text, "without one the default socket is looked for", text)
    tap.write(path("bad.yml"), b"nonsense: 1\n")
    text = once("databases", options=("-socket", SOCK), env={"LITESTREAM_CONFIG": path("bad.yml")})
    tap.ok(saw(text, "● ok", "nonsense"), "a default one that is wrong is told of", text)
    text = once("databases", options=("-config", path("bad.yml")))
    tap.ok("nonsense" in text and "● ok" not in text, "one that was named must be right", text)
    text = once("databases", options=("-config", path("none.yml")))
    tap.ok("config file not found" in text, "a configuration that was named must be there", text)
    text = once("databases", options=("-socket", SOCK, path("r/shop")))
    tap.ok("without a daemon" in text, "a path and a socket are not both looked at", text)


def check_without_daemon():
    txid = int(state("users.db")["txid"], 16)
    process.stop()
    text = once("databases", "down")
    tap.ok(saw(text, "no daemon answers", "○ offline", "%x" % txid, "not replicated while no daemon"),
           "no daemon: the configuration's databases and their local TXID", text)
    text = once("databases", "down enter")
    tap.ok(saw(text, "▸Levels", "✓ no gaps"), "whose replicas can be looked into", text)
    text = once("databases", "s")
    tap.ok("sync: no daemon answers" in text, "but nothing can be asked of it", text)
    text = once("databases", options=("-socket", SOCK))
    tap.ok(saw(text, "failed to connect to control socket", "litestream replicate running",
               "tried again each second"), "a socket alone says that it is not there", text)


for db in ("shop.db", "users.db"):
    add_rows(db, 5)
process = Daemon(CONFIG, path("log"))
process.start()
tap.ok(tap.wait_for(ready, 30), "a daemon replicates two databases", process.text())
check_views()
check_sync()
check_snapshot()
check_verify()
check_restore()
check_stop()
check_reset()
check_register()
check_cancel()
check_default()
check_without_daemon()
tap.done()
