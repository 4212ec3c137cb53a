#!/usr/bin/env python3
"""What the commands that talk to a daemon print, and what they say when there is none: cmd/daemon.c,
cmd/cmd_info.c, cmd/cmd_control.c, and litestream status, against a scripted daemon."""

import json
import os
import signal
import socket
import subprocess
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
import tap
from program import as_json, config, error, litestream, success

dir = tap.scratch()
sock = os.path.join(dir, "s")
daemon = subprocess.Popen([os.path.join(tap.BUILD, "t/engine/control/fake_daemon"), sock],
                          stdin=subprocess.PIPE, stdout=subprocess.PIPE)
tap.equal(daemon.stdout.readline(), b"listening\n", "the daemon listens")


def ctl(command, *args, **kw):
    return litestream(command, "-socket", sock, *args, **kw)


# ---- info, list ----

r = ctl("info")
lines = r.out.splitlines()
tap.ok(r.rc == 0 and r.err == "" and len(lines) == 5 and lines[0].startswith("Litestream ")
       and lines[1] == "  PID:        %d" % daemon.pid
       and lines[2].startswith("  Uptime:     ") and lines[2].endswith("s")
       and lines[3].startswith("  Started at: 20") and lines[3].endswith("Z") and "." not in lines[3]
       and lines[4] == "  Databases:  4", "info", r)
j = as_json(ctl("info", "-json"))
tap.equal(list(j), ["version", "pid", "uptime_seconds", "started_at", "database_count"],
          "info -json has its keys in order")
tap.equal((j["pid"], j["database_count"]), (daemon.pid, 4), "... and right values")
success(ctl("list"), """/srv/a.db [replicating] (last sync: 2023-11-14T22:13:20Z)
/srv/b.db [stopped] (last sync: never)
/srv/c.db [replicating] (last sync: never)
/srv/\\x1b[31m\ufffd [replicating] (last sync: never)
""", "list; names cannot drive the terminal")
tap.equal(as_json(ctl("list", "-json"))["databases"][:2],
          [{"path": "/srv/a.db", "status": "replicating", "last_sync_at": "2023-11-14T22:13:20.123Z"},
           {"path": "/srv/b.db", "status": "stopped"}], "list -json")

# ---- start, stop, sync ----


def state(status, path, state, txid):
    return "status: %s\ndb_path: %s\nstate: %s\ntxid: %d\nsocket: %s\n" % (status, path, state, txid, sock)


success(ctl("start", "/srv/b.db"), state("started", "/srv/b.db", "running", 9), "start")
success(ctl("start", "/srv/b.db"), state("already_running", "/srv/b.db", "running", 9), "start again")
success(ctl("stop", "/srv/b.db"), state("stopped", "/srv/b.db", "stopped", 9), "stop")
tap.equal(as_json(ctl("stop", "-json", "/srv/b.db")),
          {"status": "already_stopped", "db_path": "/srv/b.db", "state": "stopped", "txid": 9,
           "socket": sock}, "stop again, -json")
r = ctl("sync", "/srv/c.db")
tap.ok(r.rc == 0 and r.out.startswith("db_path: /srv/c.db\ntxid: 2\nduration_ms: "), "sync", r)
r = ctl("sync", "-wait", "/srv/c.db")
tap.ok(r.rc == 0 and r.out.startswith("db_path: /srv/c.db\ntxid: 2\nreplica_txid: 2\nduration_ms: "),
       "sync -wait", r)
j = as_json(ctl("sync", "-wait", "-json", "sqlite:///srv/./c.db"))
tap.ok(list(j) == ["db_path", "txid", "replica_txid", "duration_ms"] and j["replica_txid"] == 2,
       "sync -wait -json, of a path that is expanded here", j)
r = ctl("sync", "c.db", cwd="/srv" if os.path.isdir("/srv") else "/")
tap.ok(r.rc == 0 or "sync failed: database not found: /c.db" in r.err,
       "a relative path begins where the command runs", r)
error(ctl("sync", "/srv/no.db"), "sync failed: database not found: /srv/no.db")
error(ctl("sync", "/srv/b.db"), "sync failed: database not open: /srv/b.db")
error(ctl("start", "/srv/no.db"), "start failed: database not found: /srv/no.db")
error(ctl("stop", "/srv/no.db"), "stop failed: database not found: /srv/no.db")

# ---- register, unregister ----

success(ctl("register", "-replica", "file:///r/d", "/srv/d.db"),
        "status: registered\ndb_path: /srv/d.db\nreplica: file:///r/d\nsocket: %s\n" % sock, "register")
success(ctl("register", "-replica", "file:///r/d", "/srv/d.db"),
        "status: already registered\ndb_path: /srv/d.db\nreplica: file:///r/d\nsocket: %s\n" % sock,
        "register again")
tap.equal(as_json(ctl("register", "-json", "-replica", "file:///r/d", "/srv/d.db")),
          {"status": "already_registered", "db_path": "/srv/d.db", "replica": "file:///r/d",
           "socket": sock}, "register -json")
r = ctl("register", "-replica", "ftp://x", "/srv/e.db")
tap.ok(r.rc == 1 and r.err.startswith("Error: register failed: invalid replica url: "),
       "register with a wrong URL", r)
success(ctl("unregister", "-dry-run", "/srv/d.db"), """Dry run: unregister request preview
  database: /srv/d.db
  socket: %s
  replicas: the replica stays as it is
  final sync: the daemon captures and uploads what is committed before it lets go
  timeout: 30s
No unregister request was sent.
""" % sock, "unregister -dry-run")
tap.equal(as_json(ctl("unregister", "-dry-run", "-json", "-timeout", "5", "/srv/d.db")),
          {"dry_run": True, "db_path": "/srv/d.db", "socket": sock, "timeout_seconds": 5},
          "unregister -dry-run -json")
tap.ok("/srv/d.db [" in ctl("list").out, "a dry run changes nothing")
success(ctl("unregister", "/srv/d.db"),
        "status: unregistered\ndb_path: /srv/d.db\nfinal_txid: 0\nsocket: %s\n" % sock, "unregister")
tap.equal(as_json(ctl("unregister", "-json", "/srv/d.db")),
          {"status": "already_unregistered", "db_path": "/srv/d.db", "final_txid": 0, "socket": sock},
          "unregister again, -json")

# ---- arguments ----

for c in ["info", "list"]:
    error(ctl(c, "x"), "too many arguments")
    error(ctl(c, "-timeout", "0"), "timeout must be greater than 0")
for c in ["start", "stop", "sync", "unregister", "register"]:
    extra = ("-replica", "file:///r") if c == "register" else ()
    error(ctl(c, *extra), "database path required")
    error(ctl(c, *extra, "a", "b"), "too many arguments")
    error(ctl(c, *extra, "-timeout", "-1", "a"), "timeout must be greater than 0")
for c in ["sync", "unregister"]:
    error(ctl(c, "-timeout", "0", "a"), "timeout must be greater than 0")
success(ctl("start", "-timeout", "0", "/srv/a.db"), state("already_running", "/srv/a.db", "running", 5),
        "start -timeout 0 waits as long as it takes")
error(ctl("register", "/srv/e.db"), "-replica is required",
      "litestream register -replica file:///backup/db /srv/e.db")
error(litestream("info", "-socket", ""), "socket path required")
error(litestream("info", "-socket", "/" + "x" * 200), "socket path is longer than 107 bytes: /" + "x" * 200)

# ---- status ----

cfg = config(dir, """socket: {enabled: true, path: %s}
dbs:
  - {path: /srv/a.db, replica: {path: /r/a}}
  - {path: /srv/none.db, replica: {path: /r/none}}
""" % sock)
rows = as_json(litestream("status", "-config", cfg, "-json"))
tap.equal([row["daemon"] for row in rows],
          [{"status": "replicating", "replica_txid": "0000000000000005",
            "last_sync_at": "2023-11-14T22:13:20.123Z", "lag_ms": 0}, None],
          "status -json has what the daemon says")
table = litestream("status", "-config", cfg).out

# ---- a daemon that is stopped, gone, not allowed ----

daemon.send_signal(signal.SIGSTOP)
r = ctl("info", "-timeout", "1")
tap.ok(r.rc == 1 and r.err.startswith("Error: no answer from the daemon at %s within 1.5s" % sock),
       "a stopped process is told from none", r)
daemon.send_signal(signal.SIGCONT)
daemon.stdin.close()
tap.equal(daemon.wait(20), 0, "the daemon ends")
tap.ok(not os.path.exists(sock), "its socket is gone")
for c, args in [("info", ()), ("list", ()), ("start", ("/a",)), ("stop", ("/a",)), ("sync", ("/a",)),
                ("register", ("-replica", "file:///r", "/a")), ("unregister", ("/a",))]:
    error(ctl(c, *args), "failed to connect to control socket: %s: No such file or directory" % sock,
          "is litestream replicate running, with socket: {enabled: true}? -socket names another path",
          name=c + " without a daemon")
stale = socket.socket(socket.AF_UNIX)
stale.bind(sock)
stale.close()
error(ctl("info"), "failed to connect to control socket: %s: Connection refused" % sock)
tap.equal([row["daemon"] for row in as_json(litestream("status", "-config", cfg, "-json"))],
          [None, None], "status -json without a daemon")
tap.equal(litestream("status", "-config", cfg).out, table, "the table is the same")
tap.done()
