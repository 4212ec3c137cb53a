#!/usr/bin/env python3
"""litestream-tui on terminals of several kinds, through a storm of sizes, on places that fail, and
what becomes of it when its terminal goes."""

import os
import pty
import random
import shutil
import signal
import subprocess
import sys
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
import tap
from tmux import Terminal

TUI = os.path.join(tap.BUILD, "litestream-tui")
work = tap.scratch()
shop = os.path.join(work, "shop")
shutil.copytree(tap.vector("replica-a/replica"), shop)
for folder, _, _ in os.walk(shop):
    os.chmod(folder, 0o755)
term = Terminal(work)


def start(command):
    """With nothing kept from the last time."""
    shutil.rmtree(os.path.join(work, "state"), ignore_errors=True)
    term.line("clear; " + command)


def known(name):
    return subprocess.run(["infocmp", name], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                          check=False).returncode == 0


def colours():
    """Colours of the text on the screen, as SGR parameters."""
    text = term.tmux("capture-pane", "-p", "-e", "-t", "t")
    return {p for s in text.split("\033[")[1:] for p in [s.split("m")[0]]}


# ---- kinds of terminals ----

for name, ascii_only in (("xterm-256color", False), ("screen-256color", False), ("linux", False),
                         ("vt100", True), ("vt220", True), ("xterm-mono", False)):
    if not known(name):
        tap.skip("TERM=" + name, "terminfo does not know it")
        continue
    start("TERM=%s %s %s" % (name, TUI, shop))
    term.see("restorable: TXID 1 to 13c", "TERM=%s shows the first view" % name)
    term.keys("2")
    term.see("^" if ascii_only else "▲", "takes keys")
    text, seen = term.screen(), colours()
    tap.ok(text.isascii() == ascii_only, "with its characters", text)
    many, few = any("38;5" in s for s in seen), any(p in "36 96 90 33".split() for s in seen
                                                    for p in s.split(";"))
    tap.ok((many, few) == {"xterm-256color": (True, False), "screen-256color": (True, False),
                           "linux": (False, True)}.get(name, (False, False)),
           "and its colours", seen)
    term.keys("Q")
    term.ends("and ends")
start("TERM=dumb %s %s; echo status $?" % (TUI, shop))
term.see("status 1", "TERM=dumb is refused")
start("TERM=nosuch %s %s" % (TUI, shop))
term.see("terminal type nosuch is not known", "as one that is not known is")
start("NO_COLOR=1 %s -ascii %s" % (TUI, shop))
term.see("restorable:", "NO_COLOR and -ascii")
tap.ok(term.screen().isascii() and not any("38;5" in s for s in colours()), "hold", colours())

# ---- sizes ----

term.keys("2", "g")
term.text("5c")
term.keys("Enter")
term.see("changed here: t (1 page)", "a view")
before = [line for line in term.screen().splitlines() if "read" not in line]
rnd = random.Random(7)
for _ in range(60):
    term.resize(rnd.choice([1, 2, 59, 60, 80, 200, 500, rnd.randrange(1, 500)]),
                rnd.choice([1, 2, 15, 16, 24, 50, 200, rnd.randrange(1, 200)]))
term.resize(500, 200)
term.see("TXID 000000000000005c", "after a storm of sizes, 500x200")
term.resize(80, 24)
tap.ok(tap.wait_for(lambda: [line for line in term.screen().splitlines()
                             if "read" not in line] == before, 20),
       "and 80x24 as it was", term.screen())
term.keys("Q")
term.ends("it ends")

# ---- places that fail ----

start("%s file:///nonexistent/replica" % TUI)
term.see("There is no LTX file here", "a replica that is not there")
term.keys("Q")
term.ends("ends")
gone = os.path.join(work, "gone")
shutil.copytree(shop, gone)
start("%s %s" % (TUI, gone))
term.see("restorable:", "a replica")
term.keys("2")
term.see("changed here:", "is looked at")
shutil.rmtree(os.path.join(gone, "ltx", "0"))
term.keys("Left")
term.see("what changed is not known", "files that are deleted meanwhile")
term.keys("d")
term.see("open ltx file", "are told of")
tap.ok("page size 0" not in term.screen(), "without a header that is none", term.screen())
shutil.rmtree(gone)
term.keys("Escape", "R")
term.see("STALE", "and the whole replica")
term.see("▲", "what was read stays")
term.keys("Q")
term.ends("ends")

# ---- the terminal goes ----


def alone(*argv, **kw):
    """The program on a terminal of its own, without a shell: the process and the other end."""
    ours, theirs = pty.openpty()
    p = subprocess.Popen(argv, stdin=theirs, stdout=theirs, stderr=theirs, close_fds=True,
                         start_new_session=True, env=dict(os.environ, TERM="xterm",
                                                          XDG_STATE_HOME=work), **kw)
    os.close(theirs)
    seen = b""
    while b"Levels" not in seen:
        seen += os.read(ours, 65536)
    return p, ours


def ended(p, name):
    try:
        rc = p.wait(20)
    except subprocess.TimeoutExpired:
        p.kill()
        rc = None
    tap.ok(rc is not None and rc >= 0, name, rc)


p, end = alone(TUI, shop)
os.close(end)
ended(p, "a terminal that is closed ends it")
p, end = alone(TUI, shop, preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN))
os.close(end)
ended(p, "also where SIGHUP is ignored")
p, end = alone(TUI, shop)
os.kill(p.pid, signal.SIGHUP)
ended(p, "SIGHUP ends it")
os.close(end)


def ticks(pid):
    fields = tap.read("/proc/%d/stat" % pid).decode().rsplit(")", 1)[1].split()
    return int(fields[11]) + int(fields[12])


p, end = alone(TUI, shop)
tap.wait_for(lambda: b"no gaps" in os.read(end, 65536), 5)
time.sleep(0.5)  # what is measured is that nothing happens: there is no event to wait for
start = ticks(p.pid)
time.sleep(2)
tap.ok(ticks(p.pid) - start <= 1, "idle, it takes no processor time", ticks(p.pid) - start)
p.kill()
p.wait()
os.close(end)
term.close()
tap.done()
