#!/usr/bin/env python3
"""The link to a daemon, on a terminal: what happens appears by itself, a daemon that is stopped or
killed is said to be so, keys work meanwhile, and what is there again is shown again. Also
tui/feed.c and tui/live.c."""

import os
import signal
import sqlite3
import sys
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
import control
import tap
import tmux
from support.daemon import Daemon

TUI = os.path.join(tap.BUILD, "litestream-tui")
work = tap.scratch()
SOCK = os.path.join(work, "s")
CONFIG = os.path.join(work, "c.yml")
tap.write(CONFIG, ("socket: {enabled: true, path: %s}\ndbs:\n  - {path: %s/a.db, replica: {path: %s/r}}\n"
                   % (SOCK, work, work)).encode())
app = sqlite3.connect(os.path.join(work, "a.db"), isolation_level=None)
app.execute("PRAGMA journal_mode = wal")
app.execute("CREATE TABLE t (v)")
term = tmux.Terminal(work, 100, 24)
term.line("cd %s" % work)


def commit():
    app.execute("INSERT INTO t VALUES (randomblob(100))")


def ticks(pid):
    """Processor time used, in hundredths of a second."""
    with open("/proc/%d/stat" % pid) as f:
        fields = f.read().rsplit(")", 1)[1].split()
    return int(fields[11]) + int(fields[12])


def check_live(daemon):
    term.line("clear; %s -config c.yml" % TUI)
    term.see("● ok", "a database of a live daemon")
    term.keys("7")
    term.see("capture", "what happened")
    for n in (2, 3):
        commit()
        term.see("L0 TXID %d" % n, "a commit appears by itself, number %d" % n)
    term.keys("6")
    term.see("█", "and in the last minute of its database")
    term.resize(60, 16)
    term.see("   STATE    DATABASE", "in a small window too")
    term.resize(100, 24)
    term.see("LAST MINUTE", "and in a larger one again")


def check_idle():
    """A second and a half of the five between two questions."""
    pid = term.child()
    time.sleep(0.3)
    before = ticks(pid)
    time.sleep(1.5)
    used = ticks(pid) - before
    tap.ok(used <= 3, "idle, it uses next to no processor time", "%d hundredths of a second" % used)


def check_stopped(daemon):
    daemon.process.send_signal(signal.SIGSTOP)
    term.see("the daemon has not answered", "a daemon that is stopped is said not to answer")
    term.keys("7")
    term.see("▸Activity", "keys work meanwhile")
    term.keys("6", "s")
    term.see("syncing", "what is asked for is waited for in the background")
    term.keys("?")
    term.see("KEYS", "while other views are opened")
    term.keys("q", "c")
    term.see("given up waiting", "and given up")
    daemon.process.send_signal(signal.SIGCONT)
    term.see("has not answered", "and goes on when it answers again", absent=True)
    commit()
    term.keys("7")
    term.see("L0 TXID 4", "with what happens")
    daemon.process.send_signal(signal.SIGSTOP)
    term.keys("6", "R", "Q")
    term.see("▸Databases", "Q quits at once though nobody answers", absent=True, seconds=4)
    daemon.process.send_signal(signal.SIGCONT)


def check_killed(daemon):
    term.line("clear; %s -socket s" % TUI)
    term.see("● ok", "without a configuration")
    daemon.kill()
    term.see("the daemon is gone since", "a daemon that is killed is said to be gone")
    term.see("STALE", "and what is shown to be old")
    term.see("a.db", "which is still shown")
    term.keys("s")
    term.see("Sync: failed to connect", "nothing can be asked of it")
    daemon.start()
    term.see("is gone since", "another is found", absent=True)
    commit()
    term.keys("7")
    term.see("L0 TXID 5", "and followed from its first event on")
    term.keys("Q")
    daemon.stop()


def check_comes():
    """At first there is the configuration alone."""
    term.line("clear; %s -config c.yml" % TUI)
    term.see("no daemon answers", "no daemon yet")
    term.keys("6")
    daemon = Daemon(CONFIG, os.path.join(work, "log"))
    daemon.start()
    term.see("● ok", "one that comes is shown")
    term.keys("Q")
    daemon.stop()


def check_scripted():
    """A daemon that answers with rubbish in between, then well again."""
    server = control.Server(SOCK, "normal")
    term.line("clear; %s -socket s" % TUI)
    term.see("billing.db", "a scripted daemon")
    with server.lock:
        server.mode = "shapeless"
    term.see("answers are not understood", "whose answers become rubbish")
    with server.lock:
        server.mode = "normal"
    term.see("not understood", "and sound again", absent=True)
    term.keys("Q")
    server.close()


daemon = Daemon(CONFIG, os.path.join(work, "log"))
daemon.start()
tap.wait_for(lambda: os.path.exists(SOCK))
check_live(daemon)
check_idle()
check_stopped(daemon)
check_killed(daemon)
check_comes()
check_scripted()
term.close()
tap.done()
