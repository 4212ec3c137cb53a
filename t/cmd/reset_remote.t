#!/usr/bin/env python3
"""litestream reset -remote: what it shows, who must confirm, a daemon that runs, names that stay,
files that cannot be deleted, kills and signals in the middle, and the replica that comes after it."""

import os
import pty
import select
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
from program import BIN, as_json, error, litestream, replica

daemon.need()
s = daemon.Site()
SOCK = s.dir + "/s"
with open(s.config, "a") as f:
    f.write("socket: {enabled: true, path: %s}\nlevels: [{interval: 1s}]\n" % SOCK)
URL = "file://" + s.root
CONFIG = ["-config", s.config]
REMOTE = ["reset", "-remote"]


def files(root=s.root):
    return sorted(os.path.join(d, n) for d, _, names in os.walk(root) for n in names)


def bytes_of(names):
    return sum(os.path.getsize(n) for n in names)


# ---- wrong arguments ----

error(litestream(*REMOTE), "database path or replica URL required", "litestream reset [options] DB_PATH")
error(litestream(*REMOTE, "-config", s.config, URL), "cannot specify a replica URL and the -config flag")
error(litestream(*REMOTE, *CONFIG, s.dir + "/x.db"), "database not found in config: %s/x.db" % s.dir)
error(litestream("reset", "-yes", s.db), "-yes goes with -remote only")
error(litestream("reset", "-json", s.db), "-json goes with -remote only")
r = litestream(*REMOTE, "-yes", URL)
tap.ok(r.rc == 0 and r.out == "Nothing to delete:\n  replica: %s\n  files: 0, 0 B\n" % URL and r.err == "",
       "a replica that is not there", r)

# ---- beside a daemon ----

s.start()
s.rows(20)
s.reaches()
tap.ok(tap.wait_for(lambda: any("/ltx/1/" in n for n in files())), "there is a level", files())
before = files()
for place in ([*CONFIG, s.db], ["-socket", SOCK, URL]):
    r = litestream(*REMOTE, "-yes", *place)
    tap.ok(r.rc == 1 and r.err == "Error: a running daemon replicates %s to %s\nhint: litestream stop -socket %s %s\n"
           % (s.db, URL, SOCK, s.db) and set(before) <= set(files()),
           "refused while a daemon replicates: %s" % place[0], r)
r = litestream(*REMOTE, "-dry-run", *CONFIG, s.db)
tap.ok(r.rc == 0, "but -dry-run may be run", r)
other = socket.socket(socket.AF_UNIX)
other.bind(s.dir + "/other")
other.listen()
threading.Thread(target=lambda: other.accept()[0].close(), daemon=True).start()
r = litestream(*REMOTE, "-yes", "-socket", s.dir + "/other", *CONFIG, s.db)
tap.ok(r.rc == 1 and r.err.startswith("Error: cannot ask whether a daemon replicates to %s: " % URL),
       "one that cannot be asked may be replicating", r)
tap.equal(litestream("stop", "-socket", SOCK, s.db).rc, 0, "it is stopped")
before = files()

# ---- what is shown ----

r = litestream(*REMOTE, "-dry-run", *CONFIG, s.db)
points = as_json(litestream("restore-points", "-all", "-json", URL))
last = max(p["txid"] for p in points)
lines = r.out.splitlines()
tap.ok(r.rc == 0 and r.err == "" and lines[:4] == [
    "Dry run: these files would be deleted for good:", "  replica: " + URL, "  database: " + s.db,
    lines[3]] and lines[3].startswith("  files: %d, " % len(before))
    and lines[4] == "  TXIDs: 0000000000000001 to " + last
    and lines[5].startswith("  times: 20") and lines[-1] == "No files were deleted." and files() == before,
    "-dry-run shows files, TXIDs and times", r)
j = as_json(litestream(*REMOTE, "-dry-run", "-json", *CONFIG, s.db))
times = [p["timestamp"] for p in points]
tap.ok(j == {"dry_run": True, "replica": URL, "db_path": s.db, "files": len(before),
             "bytes": bytes_of(before), "first_txid": "0000000000000001", "last_txid": last,
             "oldest": min(times), "newest": max(times), "others": [], "v03_objects": 0,
             "deleted_files": 0, "deleted_bytes": 0, "errors": []}, "and as JSON", j)
tap.equal(files(), before, "and nothing is changed")

# ---- the question ----

error(litestream(*REMOTE, *CONFIG, s.db), "not confirmed, and there is no terminal to ask on",
      "-dry-run shows what would be deleted, -yes deletes it without asking")
tap.equal(files(), before, "without a terminal nothing is deleted")


def on_terminal(answer, *args):
    """Exit status and all that a terminal shows."""
    pid, fd = pty.fork()
    if pid == 0:
        os.execv(BIN, [BIN, *args])
    shown, sent, end = b"", False, time.monotonic() + 30
    while time.monotonic() < end:
        if select.select([fd], [], [], 0.2)[0]:
            try:
                data = os.read(fd, 65536)
            except OSError:
                break
            if not data:
                break
            shown += data
        if not sent and b"to cancel: " in shown:
            os.write(fd, answer)
            sent = True
    os.close(fd)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), shown.decode().replace("\r\n", "\n")


for answer, what in ((b"\n", "Enter"), (b"yes\n", "yes"), (b"\x04", "end of input"), (b"a.dbx\n", "another name")):
    rc, shown = on_terminal(answer, *REMOTE, *CONFIG, s.db)
    tap.ok(rc == 1 and "not confirmed: nothing was deleted" in shown and files() == before
           and "  TXIDs: 0000000000000001 to " + last in shown and "Type a.db to delete them" in shown,
           "%s cancels" % what, "%d\n%s" % (rc, shown))
rc, shown = on_terminal(b"\x03", *REMOTE, *CONFIG, s.db)
tap.ok(rc == -signal.SIGINT and files() == before, "so does ^C", "%s\n%s" % (rc, shown))
rc, shown = on_terminal(b"a.db\n", *REMOTE, *CONFIG, s.db)
tap.ok(rc == 0 and "Deleted %d of %d files, " % (len(before), len(before)) in shown and files() == [],
       "[RST-1] the database's name deletes all", "%d\n%s" % (rc, shown))
r = litestream("restore", "-o", s.dir + "/none.db", URL)
tap.ok(r.rc == 1 and "no matching backup files available" in r.err, "nothing can be restored", r)

# ---- what comes after it ----

s.rows(5)
tap.equal(litestream("start", "-socket", SOCK, s.db).rc, 0, "the daemon goes on with it")
tap.ok(s.caught_up(20), "[RST-2] and the replica is whole again", s.tail())
s.stop()
r = litestream(*REMOTE, "-yes", "-json", *CONFIG, s.db)
j = as_json(r)
tap.ok(r.rc == 0 and j["deleted_files"] == j["files"] > 0 and j["deleted_bytes"] == j["bytes"] > 0
       and files() == [], "-yes -json, without a daemon", r)
s.rows(5)
s.start()
s.check("[RST-2] a daemon that starts makes a whole replica", errors=None)

# ---- other names, files that cannot be deleted ----

folder, expected = replica(s.dir, "replica-a")
url = "file://" + folder
os.makedirs(folder + "/generations/0123456789abcdef/snapshots")
others = ["ltx/0/notes", "ltx/1/%016x-%016x.ltx.tmp" % (1, 9)]
for name in others + ["generations/0123456789abcdef/snapshots/00000000.snapshot.lz4", "mine"]:
    tap.write(folder + "/" + name, b"x")
r = litestream(*REMOTE, "-dry-run", url)
tap.ok(r.rc == 0 and "  other names, which stay: 2\n" in r.out and all("    %s\n" % o in r.out for o in others)
       and "  of version 0.3, which stay and can be restored: 1\n" in r.out, "names that stay are told", r)


def as_nobody():
    if os.getuid() == 0:
        os.setgid(65534)
        os.setuid(65534)


os.chmod(s.dir, 0o755)
for d, _, _ in os.walk(folder):
    os.chmod(d, 0o777)
keep = sorted(n for n in os.listdir(folder + "/ltx/1") if n.endswith(".ltx") and not n.startswith("%016x" % 1))
starts = [n for n in os.listdir(folder + "/ltx/1") if n.startswith("%016x-" % 1) and n.endswith(".ltx")]
for n in starts:
    os.unlink(folder + "/ltx/1/" + n)
os.chmod(folder + "/ltx/1", 0o555)
r = litestream(*REMOTE, "-yes", "-json", url, preexec_fn=as_nobody)
j = as_json(r)
tap.ok(r.rc == 1 and [e["file"] for e in j["errors"]] == ["ltx/1/" + n for n in keep] and len(keep) > 1
       and all("Permission denied" in e["error"] for e in j["errors"])
       and j["deleted_files"] == j["files"] - len(keep)
       and "%d files could not be deleted\nhint: " % len(keep) in r.err, "[RST-3] each file that stays is named", r)
os.chmod(folder + "/ltx/1", 0o777)
tap.ok(litestream(*REMOTE, "-yes", url).rc == 0, "run again it deletes them")
tap.equal([os.path.relpath(n, folder) for n in files(folder)],
          sorted(others + ["generations/0123456789abcdef/snapshots/00000000.snapshot.lz4", "mine"]),
          "[RST-4] only files of the replica went")

# ---- killed in the middle ----

MANY = 20000


def many(name):
    """A replica of one full file and very many behind it."""
    root = s.dir + "/" + name
    os.makedirs(root + "/ltx/0")
    os.makedirs(root + "/ltx/9")
    tap.write(root + "/x", bytes(200))
    os.link(root + "/x", "%s/ltx/9/%016x-%016x.ltx" % (root, 1, 2))
    last = root + "/x"
    for n in range(3, MANY):
        if n % 10000 == 0:  # a file has no more names than some 60000
            tap.write(root + "/x%d" % n, bytes(200))
            last = root + "/x%d" % n
        os.link(last, "%s/ltx/0/%016x-%016x.ltx" % (root, n, n))
    return root


def cut_short(root, sig):
    """Ends it once some files went: its exit status, what it printed, how many are left."""
    before = len(os.listdir(root + "/ltx/0"))
    p = subprocess.Popen([BIN, *REMOTE, "-yes", "file://" + root], stdin=subprocess.DEVNULL,
                         stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    tap.wait_for(lambda: len(os.listdir(root + "/ltx/0")) < before or p.poll() is not None)
    p.send_signal(sig)
    _, err = p.communicate()
    return p.returncode, err.decode(), len(os.listdir(root + "/ltx/0"))


root = many("killed")
rc, err, left = cut_short(root, signal.SIGKILL)
tap.ok(rc == -signal.SIGKILL and 0 < left < MANY - 3, "it is killed in the middle", "%d, %d files left" % (rc, left))
r = litestream("restore", "-o", s.dir + "/none.db", "file://" + root)
tap.ok(r.rc == 1 and not os.path.exists(s.dir + "/none.db"), "[RST-5] what is left is refused", r)
rc, err, left = cut_short(root, signal.SIGTERM)
tap.ok(rc == 1 and 0 < left < MANY - 3 and "interrupted" in err and "%d of " % left in err
       and "hint: run this again to go on" in err, "a signal ends it, and it tells what is left", "%d %d\n%s" % (rc, left, err))
r = litestream(*REMOTE, "-yes", "file://" + root)
tap.ok(r.rc == 0 and os.listdir(root + "/ltx/0") == [] and os.listdir(root + "/ltx/9") == []
       and r.out.startswith("Deleted %d of %d files, " % (left, left)), "[RST-5] run again it goes on", r)
tap.done()
