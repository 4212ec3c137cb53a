#!/usr/bin/env python3
"""Every command of litestream beside a daemon that runs, by tables: what it prints, as text and as
JSON, its exit status, wrong arguments; and the commands that ask the daemon where it hangs, is slow, is
gone, is not one, or is not theirs to ask: -timeout holds everywhere. What they do is in control.t."""

import atexit
import concurrent.futures
import os
import signal
import socket
import subprocess
import sys
import threading
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
import tap
import daemon
from program import BIN, Result, as_json, litestream

daemon.need()

# An hour: nothing changes by itself.
s = daemon.Site(interval="1h")
SOCK = s.dir + "/s"
with open(s.config, "a") as f:
    f.write("socket: {enabled: true, path: %s}\n" % SOCK)
atexit.register(lambda: s.daemon.running() and s.kill())
s.start(wait=False)
tap.ok(tap.wait_for(lambda: litestream("sync", "-wait", "-socket", SOCK, s.db).rc == 0, 20),
       "a daemon runs", s.tail())
URL = "file://" + s.root


def parallel(function, rows):
    """A row each, at once: most of them wait."""
    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        return list(pool.map(function, rows))


# ---- what is printed: text begins so, and JSON has these keys in this order ----

SOCKET, CONFIG = ["-socket", SOCK], ["-config", s.config]
OUT = s.dir + "/out.db"
PRINTS = [
    # command, options, arguments, start of the text, where in the JSON, keys
    ("info", SOCKET, [], "Litestream ", [],
     "version pid uptime_seconds started_at database_count"),
    ("list", SOCKET, [], s.db + " [replicating] (last sync: 20", ["databases", 0], "path status last_sync_at"),
    ("sync", SOCKET, [s.db], "db_path: %s\ntxid: " % s.db, [], "db_path txid duration_ms"),
    ("sync", SOCKET + ["-wait"], [s.db], "db_path: %s\ntxid: " % s.db, [], "db_path txid replica_txid duration_ms"),
    ("start", SOCKET, [s.db], "status: already_running\n", [], "status db_path state txid socket"),
    ("unregister", SOCKET + ["-dry-run"], [s.db], "Dry run: unregister request preview\n", [],
     "dry_run db_path socket timeout_seconds"),
    ("databases", CONFIG, [], "path ", [0], "path replica"),
    ("status", CONFIG, [], "database ", [0], "database status local_txid wal_size last_verify daemon"),
    ("status", CONFIG, [s.db], "database ", [0, "daemon"], "status replica_txid last_sync_at lag_ms"),
    ("ltx", CONFIG + ["-level", "all"], [s.db], "level  min_txid ", [0], "level min_txid max_txid size timestamp"),
    ("ltx", [], [URL], "level  min_txid ", [0], "level min_txid max_txid size timestamp"),
    ("restore", CONFIG + ["-force", "-o", OUT], [s.db], "", [], "db_path replica txid duration_ms integrity_check"),
    ("restore", CONFIG + ["-dry-run", "-o", OUT + "2"], [s.db], "Restore plan:\n", [], None),
    ("restore-points", CONFIG, [s.db], "from ", ["windows", 0],
     "from to first_txid last_txid points granularity level"),
    ("verify", CONFIG, [s.db], "verified ", [], "ok level full files bad_files bytes points points_bad txid findings"),
    ("check", CONFIG, [s.db], "ok    config ", ["checks", 0], "check database status text hint"),
]


def prints(row):
    command, options, args, text, where, keys = row
    name = " ".join([command] + [o for o in options if o not in SOCKET + CONFIG + [OUT]])
    r = litestream(command, *options, *args)
    tap.ok(r.rc == 0 and r.err == "" and r.out.startswith(text) and (r.out != "") == (text != ""),
           name + ": text", r)
    r = litestream(command, *options, "-json", *args)
    j = as_json(r) if r.rc == 0 else None
    for step in where:
        j = j[step] if j else None
    tap.ok(r.rc == 0 and j is not None and (keys is None or list(j) == keys.split()), name + " -json", r)


for row in PRINTS:
    prints(row)
txid = as_json(litestream("sync", "-wait", "-json", *SOCKET, s.db))["txid"]
tap.equal({as_json(litestream("status", "-json", *CONFIG))[0]["daemon"]["replica_txid"],
           as_json(litestream("ltx", "-json", *CONFIG, s.db))[-1]["max_txid"],
           as_json(litestream("verify", "-json", *CONFIG, s.db))["txid"],
           as_json(litestream("restore", "-json", "-force", "-o", OUT, *CONFIG, s.db))["txid"],
           as_json(litestream("restore-points", "-json", *CONFIG, s.db))["windows"][-1]["last_txid"]},
          {"%016x" % txid}, "all of them tell the same TXID")

# ---- wrong arguments: of every command ----

NUMBERS = ["info", "list", "start", "stop", "sync", "register", "unregister"]
ALL = sorted({row[0] for row in PRINTS} | set(NUMBERS) | {"replicate", "reset", "version"})
for command in ALL:
    r = litestream(command, "-bogus")
    tap.ok(r.rc == 1 and r.out == "" and r.err.startswith("Error: flag provided but not defined: -bogus\nhint: "),
           command + " -bogus", r)
    r = litestream(command, "---x")
    tap.ok(r.rc == 1 and r.out == "" and r.err.startswith("Error: bad flag syntax: ---x\n"), command + " ---x", r)
for command in NUMBERS:
    for value, why in [("abc", "parse error"), ("99999999999999999999", "value out of range"), ("", "parse error")]:
        r = litestream(command, "-timeout", value)
        tap.ok(r.rc == 1 and r.err.startswith('Error: invalid value "%s" for flag -timeout: %s\n' % (value, why)),
               "%s -timeout '%s'" % (command, value), r)
    r = litestream(command, "-timeout")
    tap.ok(r.rc == 1 and r.err.startswith("Error: flag needs an argument: -timeout\n"), command + " -timeout", r)
    r = litestream(command, "-json=maybe")
    tap.ok(r.rc == 1 and r.err.startswith('Error: invalid boolean value "maybe" for -json: parse error\n'),
           command + " -json=maybe", r)
for command in ("restore", "ltx", "restore-points", "verify", "reset"):
    for args, msg in [([], " required\n"), ([""], " required\n"), (["a", "b"], "Error: too many arguments\n")]:
        r = litestream(command, *args)
        tap.ok(r.rc == 1 and r.out == "" and msg in r.err, "%s %s" % (command, args), r)
for command in ("ltx", "restore", "restore-points", "verify", "status", "check"):
    r = litestream(command, *CONFIG, "-json", s.dir + "/other.db")
    tap.ok(r.rc == 1 and "Error: database not found in config: %s/other.db\n" % s.dir in r.err,
           command + " of a database that the configuration does not name", r)

# ---- local state thrown away under a daemon: a full copy follows ----

r = litestream("reset", "-dry-run", *CONFIG, s.db)
tap.ok(r.rc == 0 and r.out.startswith("Dry run: ") and r.out.endswith("No files were removed.\n"), "reset -dry-run", r)
r = litestream("reset", *CONFIG, s.db)
tap.ok(r.rc == 0 and r.out.startswith("Resetting local Litestream state for: %s\n" % s.db), "reset", r)
s.rows(2)
tap.ok(tap.wait_for(lambda: litestream("sync", "-wait", *SOCKET, s.db).rc == 0, 20), "... sync after it", s.tail())
tap.equal(s.difference(), "", "... the replica has all that is committed")

# ---- the commands that ask: each with arguments that would be right ----

ASK = [("info", []), ("list", []), ("start", [s.db]), ("stop", [s.db]), ("sync", [s.db]),
       ("sync -wait", [s.db]), ("register", ["-replica", URL + "2", s.dir + "/other.db"]), ("unregister", [s.db])]


def ask(row, sock, *options):
    command, args = row
    begun = time.monotonic()
    r = litestream(*command.split(), "-socket", sock, *options, *args)
    return command, r, time.monotonic() - begun


def all_say(name, sock, words, *options, seconds=None):
    """Each fails with these words and a hint, in time. True if all of them do."""
    good = True
    for command, r, took in parallel(lambda row: ask(row, sock, *options), ASK):
        good &= tap.ok(r.rc == 1 and r.out == "" and r.err.startswith("Error: ") and words in r.err
                       and "\nhint: " in r.err
                       and (seconds is None or seconds[0] <= took < seconds[1]),
                       "%s: %s" % (command, name), "%s\nafter %.1f s" % (r, took))
    return good


# A process that hangs: the kernel still lets clients connect.
s.daemon.process.send_signal(signal.SIGSTOP)
good = all_say("a daemon that hangs, -timeout 1", SOCK, "no answer from the daemon at " + SOCK, "-timeout", "1",
               seconds=(1, 8))
tap.equal(litestream("unregister", "-dry-run", *SOCKET, s.db).rc, 0, "unregister -dry-run asks nobody")

# ... and once nobody can connect any more.
waiting = []
for _ in range(5000):
    c = socket.socket(socket.AF_UNIX)
    c.setblocking(False)
    waiting.append(c)
    try:
        c.connect(SOCK)
    except BlockingIOError:
        break
good &= all_say("a daemon that hangs and has no room for another client", SOCK,
                "no answer from the daemon at " + SOCK, "-timeout", "1", seconds=(1, 8))
for c in waiting:
    c.close()
s.daemon.process.send_signal(signal.SIGCONT)
tap.ok(tap.wait_for(lambda: litestream("info", *SOCKET).rc == 0, 20), "it goes on")

# ---- a daemon that answers, but whose store does not ----

s.rows(1)
s.block()
begun = time.monotonic()
r = litestream("sync", "-wait", "-timeout", "2", *SOCKET, s.db)
tap.ok(r.rc == 1 and r.err.startswith("Error: sync failed: ") and "\nhint: " in r.err
       and time.monotonic() - begun < 12, "sync -wait -timeout 2 while the replica cannot be written to", r)
tap.equal(litestream("sync", *SOCKET, s.db).rc, 0, "sync alone needs no replica")
s.unblock()
tap.ok(tap.wait_for(lambda: litestream("sync", "-wait", *SOCKET, s.db).rc == 0, 30), "it can again", s.tail())
tap.equal(s.difference(), "", "nothing is missing")

# ---- permission ----


def as_another(row):
    command, args = row
    argv = [BIN, *command.split(), "-socket", SOCK, *args]
    if os.geteuid() != 0:
        return command, Result(tap.run(*argv))
    p = subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                       user=65534, group=65534, extra_groups=[])
    return command, Result(p)


os.chmod(s.dir, 0o711)
os.chmod(SOCK, 0)
for command, r in parallel(as_another, ASK):
    tap.ok(r.rc == 1 and r.out == "" and "failed to connect to control socket: %s: Permission denied\n"
           "hint: run this as the user of the daemon" % SOCK in r.err, command + ": not allowed", r)
os.chmod(SOCK, 0o600)

# ---- gone, stale, no socket, no daemon ----

tap.equal(s.stop(), 0, "the daemon ends well")
s.start(wait=False)
tap.ok(tap.wait_for(lambda: litestream("info", *SOCKET).rc == 0), "another one runs", s.tail())
s.kill()
all_say("the socket of one that was killed", SOCK, "failed to connect to control socket: %s: Connection refused" % SOCK)
file = s.dir + "/file"
tap.write(file, b"")
all_say("a file", file, "failed to connect to control socket: %s: Connection refused" % file)
all_say("a folder that is not there", s.dir + "/none/s", "none/s: No such file or directory")
r = litestream("status", "-json", *CONFIG)
tap.ok(r.rc == 0 and as_json(r)[0]["daemon"] is None, "status goes without one", r)


# ---- what is no litestream ----

def impostor(name, answer):
    """Answers each client so; the path of its socket."""
    path = s.dir + "/" + name
    server = socket.socket(socket.AF_UNIX)
    server.bind(path)
    server.listen(32)

    def serve():
        while True:
            client = server.accept()[0]
            threading.Thread(target=answer, args=(client,), daemon=True).start()
    threading.Thread(target=serve, daemon=True).start()
    return path


def trickle(client):
    """A byte at a time: never silent, never done."""
    try:
        client.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
        while True:
            client.sendall(b"{")
            time.sleep(0.05)
    except OSError:
        pass


def says(data):
    def answer(client):
        try:
            client.recv(65536)
            client.sendall(data)
            client.close()
        except OSError:
            pass
    return answer


good &= all_say("an answer that never ends", impostor("trickle", trickle), "no answer from the daemon at",
                "-timeout", "1", seconds=(1, 8))
tap.ok(good, "[X-7] -timeout holds, whatever a daemon does")
for name, data in [("hangs-up", b""), ("other", b"SSH-2.0-OpenSSH_9\r\n"),
                   ("no-json", b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"),
                   ("a-list", b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n[]"),
                   ("short", b"HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\n{}")]:
    all_say("a server that is none: " + name, impostor(name, says(data)), "Error: ", seconds=(0, 8))
path = impostor("refuses", says(b"HTTP/1.1 500 Oops\r\nContent-Length: 13\r\n\r\nout of order\n"))
for command, r, _ in parallel(lambda row: ask(row, path), ASK):
    tap.ok(r.rc == 1 and r.err.startswith("Error: ") and "out of order" in r.err, command + ": an answer that is no JSON", r)
tap.done()
