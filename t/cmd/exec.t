#!/usr/bin/env python3
"""litestream replicate -exec: when its child starts, what it finds, which signals it gets, and that
nothing it committed is missing from the replica, however it ends. cmd/child.c, engine/store/hooks.c"""

import json
import os
import re
import resource
import signal
import sqlite3
import subprocess
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
import tap
import daemon
from program import BIN, config, error, litestream

daemon.need()

# Python lets SIGPIPE be ignored, which every child of it would inherit.
signal.signal(signal.SIGPIPE, signal.SIG_DFL)

# An application: writes a row for each thing that happens to it.
APP = """
import json, os, resource, signal, sqlite3, sys
db, how, *rest = sys.argv[1:]
early = open("/proc/self/status").read()
app = sqlite3.connect(db, timeout=10, isolation_level=None)
app.execute("CREATE TABLE IF NOT EXISTS t(x)")
def note(text):
    app.execute("INSERT INTO t VALUES (?)", (text,))
note("begin")
fds = {}
for n in os.listdir("/proc/self/fd"):
    try:
        fds[n] = os.readlink("/proc/self/fd/" + n)
    except OSError:
        pass
def caught(sig, frame):
    note("signal %d" % sig)
    if how == "signals" and sig in (signal.SIGUSR1, signal.SIGUSR2):
        return
    if how == "insists" and app.execute("SELECT count(*) FROM t WHERE x LIKE 'signal%'").fetchone()[0] < 2:
        return
    note("end")
    os._exit(int(rest[0]))
if how == "exit":
    note("end")
    os._exit(int(rest[0]))
elif how == "die":
    note("end")
    os.kill(os.getpid(), int(rest[0]))
elif how == "see":
    fields = dict(line.split(":\\t", 1) for line in early.splitlines() if ":\\t" in line)
    note(json.dumps({
        "fds": fds,
        "args": rest,
        "blocked": int(fields["SigBlk"], 16), "ignored": int(fields["SigIgn"], 16),
        "files": resource.getrlimit(resource.RLIMIT_NOFILE)[0],
        "key": os.environ.get("AWS_ACCESS_KEY_ID"), "mine": os.environ.get("MINE"),
        "rows": app.execute("SELECT count(*) FROM t").fetchone()[0]}))
elif how in ("trap", "signals", "insists"):
    for sig in (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1, signal.SIGUSR2):
        signal.signal(sig, caught)
note("ready")
while how != "see":
    signal.pause()
"""


class Run:
    """One litestream with one child."""

    def __init__(self, command, *args, db=None, settings="", stdin=subprocess.DEVNULL, before=None, env=None,
                 keep=()):
        self.dir = tap.scratch()
        self.db = db or self.dir + "/a.db"
        self.app = self.dir + "/app.py"
        self.root = self.dir + "/r"
        tap.write(self.app, APP.encode())
        # An hour: what is uploaded later than the first file is uploaded at the end.
        self.config = config(self.dir, "%s\nsync-interval: 1h\ndbs: [{path: %s, replica: {path: %s}}]\n"
                             % (settings, self.db, self.root))
        self.log = self.dir + "/log"
        command = command.replace("APP", "%s %s %s" % (sys.executable, self.app, self.db))
        e = {k: v for k, v in os.environ.items() if not k.startswith(("LITESTREAM_", "LOG_LEVEL", "AWS_"))}
        with open(self.log, "wb") as out:
            self.p = subprocess.Popen([BIN, "replicate", "-config", self.config, "-exec", command, *args],
                                      stdin=stdin, stdout=out, stderr=out, preexec_fn=before, pass_fds=keep,
                                      env=dict(e, **(env or {})))

    def text(self):
        return tap.read(self.log).decode()

    def rows(self):
        """What the application has written, [] while there is nothing."""
        try:
            c = sqlite3.connect("file:%s?mode=ro" % self.db, uri=True, timeout=10)
            rows = [r[0] for r in c.execute("SELECT x FROM t ORDER BY rowid")]
            c.close()
            return rows
        except sqlite3.Error:
            return []

    def await_row(self, text, seconds=20):
        return tap.wait_for(lambda: text in self.rows() or self.p.poll() is not None, seconds)

    def end(self, *signals):
        """Sends signals, one after the other was noted; the exit status."""
        for n, sig in enumerate(signals, 1):
            self.p.send_signal(sig)
            if n < len(signals):
                tap.wait_for(lambda: self.rows().count("signal %d" % sig) >= signals[:n].count(sig))
        try:
            self.p.wait(60)
        except subprocess.TimeoutExpired:
            self.p.kill()
            self.p.wait()
        return self.p.returncode

    def restored(self):
        out = self.dir + "/restored.db"
        r = daemon.restore(self.root, out)
        if r.returncode != 0:
            return (r.stdout + r.stderr).decode()
        c = sqlite3.connect(out)
        rows = [r[0] for r in c.execute("SELECT x FROM t ORDER BY rowid")]
        c.close()
        return rows


# ---- how it ends: exit status, last words, and what is on the replica ----

MSG = 'msg="subprocess exited, litestream shutting down"'
ENDS = [
    # child, signals to litestream, exit status, end of standard error, last row
    ("APP exit 0", [], 0, "", "end"),
    ("APP exit 7", [], 7, "Error: exec command: %s: exit status 7" % sys.executable, "end"),
    ("APP exit 255", [], 255, "exit status 255", "end"),
    ("APP die 9", [], 137, "signal: killed (9)", "end"),
    ("APP die 11", [], 139, "signal: segmentation fault (11)", "end"),
    ("APP die 15", [], 143, "signal: terminated (15)", "end"),
    ("APP trap 0", [signal.SIGTERM], 0, "", "end"),
    ("APP trap 0", [signal.SIGINT], 0, "", "end"),
    ("APP trap 3", [signal.SIGTERM], 3, "exit status 3", "end"),
    ("APP wait", [signal.SIGTERM], 0, "", "ready"),
    ("APP wait", [signal.SIGINT], 0, "", "ready"),
    ("APP insists 0", [signal.SIGTERM, signal.SIGTERM], 0, "", "end"),
    ("APP insists 0", [signal.SIGINT, signal.SIGTERM], 0, "", "end"),
    ("APP signals 0", [signal.SIGUSR1, signal.SIGUSR2, signal.SIGTERM], 0, "", "end"),
]


def one_end(command, signals, status, words, last):
    r = Run(command)
    if signals:
        r.await_row("ready")
    rc = r.end(*signals)
    name = "%s%s" % (command, "".join(", " + s.name for s in signals))
    good = tap.equal(rc, status, name + ": exit status")
    text, rows = r.text(), r.rows()
    good &= tap.ok(words in text and text.count(MSG) == 1 and "\n%s" % words in "\n" + text
                   if words.startswith("Error") else words in text and text.count(MSG) == 1,
                   "... and what is said", text)
    good &= tap.ok(rows[-1:] == [last] and rows[1:1 + len(signals)] == ["ready"] + [
        "signal %d" % s for s in signals][:len(signals) - 1] or not signals, "... it got the signals", rows)
    good &= tap.equal(r.restored(), rows, "... and all that it committed is on the replica")
    for s in signals:
        good &= tap.ok('msg="sending signal to exec process" signal=' in text, "... the log tells", text)
    return good


daemon.stories(*[lambda e=e: one_end(*e) for e in ENDS])

# ---- what it finds ----

soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)


def prepare():
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_NOFILE, (200, hard))


read, write = os.pipe()
r = Run("APP see 'two words' \"a\\\"b\" c\\ d ''", stdin=read, before=prepare, keep=(write,),
        env={"MINE": "yes", "LITESTREAM_ACCESS_KEY_ID": "id"})
tap.equal(r.end(), 0, "a child that looks around")
os.close(read)
os.close(write)
found = json.loads(([x for x in r.rows() if x.startswith("{")] or ["{}"])[0])
tap.equal(found.get("args"), ["two words", 'a"b', "c d", ""], "its arguments are split without a shell")
fds = {int(n): name for n, name in found.get("fds", {}).items()}
tap.equal(fds.get(0), "/dev/null", "its standard input is /dev/null")
tap.equal({n: name for n, name in fds.items() if n > 2 and not name.startswith(r.db)}, {},
          "it has no descriptor but the standard ones and those of its own database")
tap.equal(found.get("blocked"), 0, "no signal is held back")
# Two of Python's, and those above 31, which the C library has for itself.
OTHERS = 1 << (signal.SIGPIPE - 1) | 1 << (signal.SIGXFSZ - 1)
tap.equal(found.get("ignored", 0) & 0x7FFFFFFF & ~OTHERS,
          1 << (signal.SIGHUP - 1), "what nohup ignores stays ignored, and nothing else")
tap.equal(found.get("files"), 200, "its limit of open files is not raised")
tap.equal((found.get("mine"), found.get("key")), ("yes", "id"), "it has the environment")

# ---- when it starts ----

text = r.text()
s = Run("sh -c 'ls ORDER/.a.db-litestream/ltx/0 >&2; echo child'".replace("ORDER", r.dir), db=r.db)
tap.equal(s.end(), 0, "a database that is there")
lines = s.text().splitlines()
tap.ok("child" in lines and any(re.fullmatch(r"[0-9a-f]{16}-[0-9a-f]{16}\.ltx", x) for x in lines)
       and lines.index("child") > [i for i, x in enumerate(lines) if "replicating to" in x][0],
       "it starts when what was there is captured", s.text())

os.rename(s.root, s.dir + "/kept")
t = Run("APP exit 0", "-restore-if-db-not-exists")
t.end()
first = t.rows()
for end in ("", "-wal", "-shm"):
    if os.path.exists(t.db + end):
        os.unlink(t.db + end)
u = litestream("replicate", "-config", t.config, "-restore-if-db-not-exists", "-exec",
               "%s %s %s exit 0" % (sys.executable, t.app, t.db))
tap.ok(u.rc == 0 and t.rows() == first * 2 and 'msg="restore completed" path=' + t.db in u.out,
       "a database that is gone is restored first", (u, t.rows()))
tap.equal(t.restored(), first * 2, "... and replicated on")

# ---- where the command comes from ----

r = Run("", settings="exec: %s -c 'exit 5'" % "sh")
tap.equal(r.end(), 5, "exec of the configuration; an empty -exec is none")
r = Run("sh -c 'exit 6'", settings="exec: sh -c 'exit 5'")
tap.equal(r.end(), 6, "-exec counts more")
r = Run("true", "-once")
tap.ok(r.end() == 1 and "Error: cannot specify -once flag with -exec\n" in r.text(), "not with -once", r.text())

# ---- commands that cannot be run: nothing is started for them ----

d = tap.scratch()
tap.write(d + "/plain", b"#!/bin/sh\n")
tap.write(d + "/broken", b"\x7fELF nonsense")
os.chmod(d + "/broken", 0o755)
c = config(d, "dbs: [{path: %s/a.db, replica: {path: %s/r}}]" % (d, d))
SHELL = "the command is run without a shell; quote the character, or write sh -c '...'"
for command, msg, hint in [
    ("   ", "cannot parse exec command: invalid command line string: it is empty", None),
    ("a 'b", "cannot parse exec command: invalid command line string: a quote is not closed", None),
    ('a "b\\"', "cannot parse exec command: invalid command line string: a quote is not closed", None),
    ("a b\\", "cannot parse exec command: invalid command line string: a backslash at the end", None),
    ("a; b", "cannot parse exec command: invalid command line string: ';' outside of quotes", SHELL),
    ("a | b", "cannot parse exec command: invalid command line string: '|' outside of quotes", SHELL),
    ("(a)", "cannot parse exec command: invalid command line string: '(' outside of quotes", SHELL),
    ("no-such-program x", 'cannot start exec command: exec: "no-such-program": executable file not found in $PATH',
     "give the program's full path"),
    ("''", 'cannot start exec command: exec: "": executable file not found in $PATH',
     "give the program's full path"),
]:
    r = litestream("replicate", "-config", c, "-exec", command)
    error(r, msg, hint, "-exec %r" % command)
    tap.equal(r.out, "", "... and nothing was begun")
for program, why in [("plain", "Permission denied"), ("broken", "Exec format error"),
                     ("gone", "No such file or directory")]:
    r = litestream("replicate", "-config", c, "-exec", "%s/%s" % (d, program))
    tap.ok(r.rc == 1 and "Error: cannot start exec command: %s/%s: %s\n" % (d, program, why) in r.err,
           "a program that does not start: " + why, r)

# ---- a last sync that fails, and a child that is left alone ----

r = Run("APP exit 0", settings="shutdown-sync-timeout: 0s")
r.end()
os.rename(r.root, r.root + ".away")
tap.write(r.root, b"in the way")
for status in (0, 4):
    u = litestream("replicate", "-config", r.config, "-exec",
                   "%s %s %s exit %d" % (sys.executable, r.app, r.db, status))
    tap.equal(u.rc, status or 1, "a last sync that fails, child exits %d" % status)
    tap.ok("shutdown sync failed" in u.out and ("exit status" in u.err) == (status != 0), "... is told", u)
tap.done()
