#!/usr/bin/env python3
"""litestream-tui on a terminal that is not there: in tmux, resized, stopped and gone on with, killed.
Also terminals without colours, of few characters, and without a cursor that moves."""

import os
import shutil
import subprocess
import sys
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
import tap

if not shutil.which("tmux"):
    tap.skip_all("no tmux")

work = tap.scratch()
socket = os.path.join(work, "tmux")
shop = os.path.join(work, "shop")
shutil.copytree(tap.vector("replica-a/replica"), shop)
tui = os.path.join(tap.BUILD, "litestream-tui")
env = dict(os.environ, TERM="xterm-256color", PS1="$ ", LC_ALL="C.UTF-8",
           XDG_STATE_HOME=os.path.join(work, "state"))
env.pop("NO_COLOR", None)
env.pop("TMUX", None)


def tmux(*args):
    r = subprocess.run(["tmux", "-f", "/dev/null", "-S", socket, *args], env=env,
                       stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60, check=False)
    return r.stdout.decode(errors="replace")


def screen():
    time.sleep(0.03)  # tmux is asked a few times a second, not as often as one can
    return tmux("capture-pane", "-p", "-t", "t")


def keys(*names):
    tmux("send-keys", "-t", "t", *names)


def see(text, name, absent=False):
    """Until the text is on the screen, or no longer."""
    good = tap.wait_for(lambda: (text in "\n" + screen()) != absent, 20)
    return tap.ok(good, name, screen())


def mouse(row, col):
    """Press and release of the first button."""
    at = chr(33 + col) + chr(33 + row)
    tmux("send-keys", "-t", "t", "-l", "\033[M " + at + "\033[M#" + at)


def type_line(text):
    tmux("send-keys", "-t", "t", "-l", text)
    keys("Enter")


tmux("new-session", "-d", "-s", "t", "-x", "80", "-y", "24", "sh")
type_line("stty -a | tr ';' '\\n' >before; %s %s" % (tui, shop))
see("▸Levels", "the first view")
see("restorable: TXID 1 to 13c", "and what it reads in the background")
keys("2")
see("▲", "a key opens the timeline")
tmux("resize-window", "-t", "t", "-x", "120", "-y", "30")
see("g go to  y copy", "a larger screen shows more keys")
tap.ok(tap.wait_for(lambda: "q back" in screen().split("\n")[29], 20),
       "and the line of keys moves down", screen())
tmux("resize-window", "-t", "t", "-x", "50", "-y", "12")
see("needs 60x16, has 50x12", "a screen that is too small says so")
tmux("resize-window", "-t", "t", "-x", "80", "-y", "24")
see("▸Timeline", "and goes on when it is not")
keys("3", "/")
tmux("send-keys", "-t", "t", "-l", "L2")
see("file 1 of 4 shown", "a filter works while it is typed")
keys("Escape")
see("of 334", "escape gives it up")
keys("Down", "Down")
see("▸ L0     0000000000000003", "arrow keys")
tmux("send-keys", "-t", "t", "-l", "\033[M *'\033[M#*'")
see("▸ L0     0000000000000005", "a click selects a row")
tmux("send-keys", "-t", "t", "-l", "\033[Ma*'")
see("▸ L0     0000000000000008", "the wheel moves on")
tmux("send-keys", "-t", "t", "-l", "\033[M *(\033[M#*(\033[M *(\033[M#*(")
see("Files › L0 6-6", "a double click opens it")
keys("Escape")
see("▸ L0     0000000000000006", "escape backs out")
keys("Down", "Down")
keys("Escape")
see("q quits", "escape does not leave the first view")
mouse(0, 12)
see("▸Timeline", "a click on a tab opens it")
mouse(7, 40)
see("TXID 0000000000000094", "a click on the timeline moves the cursor")
mouse(23, 3)
see("Timeline › Restore", "a click on the line of keys does what the key does")
keys("Escape", "3")
see("▸ L0     0000000000000008", "and back")
keys("C-z")
see("Stopped", "ctrl-z is back in the shell")
type_line("echo in the shell")
see("\nin the shell", "which takes lines")
type_line("fg")
see("▸ L0     0000000000000008", "fg comes back whole")
keys("C-l", "q")
see("▸Files", "q leaves the first view", absent=True)
type_line("stty -a | tr ';' '\\n' >after; cmp before after && echo the same")
see("\nthe same", "the terminal is as it was")

state = os.path.join(work, "state", "litestream-tui", "state")
tap.ok(b"view files" in tap.read(state) and os.stat(state).st_mode & 0o777 == 0o600,
       "the view is kept for the next time", tap.read(state))
type_line("clear; %s %s" % (tui, shop))
see("▸Files", "which begins with it")
keys("O", "T")
see("theme: light", "T shows with another theme")
keys("2", "t", "Q")
see("▲", "Q quits", absent=True)
kept = tap.read(state)
tap.ok(b"theme light" in kept and b"order files 1 reverse" in kept and b"axis time" in kept
       and b"view timeline" in kept, "theme, order and axis are kept", kept)
tap.write(state, b"view timeline\nrubbish\n")
type_line("clear; %s %s" % (tui, shop))
see("▸Levels", "a damaged state file is ignored")
see("the state file is damaged and was ignored", "with a message")
keys("Q")
see("▸Levels", "and it ends", absent=True)
tap.ok(b"rubbish" not in tap.read(state), "which writes it anew", tap.read(state))
os.remove(state)
type_line("clear; %s -readonly %s" % (tui, shop))
see("restorable:", "with -readonly")
keys("Q")
see("restorable:", "it ends", absent=True)
tap.ok(not os.path.exists(state), "and writes no state")

type_line("clear; %s %s & sleep 0.01; fg" % (tui, shop))
see("restorable:", "started in the background, brought to the front")
pid = [p for p in tmux("list-panes", "-t", "t", "-F", "#{pane_pid}").split()][0]
child = subprocess.run(["pgrep", "-P", pid], stdout=subprocess.PIPE, check=False).stdout.split()
os.kill(int(child[0]), 15)
see("restorable:", "SIGTERM ends it", absent=True)
type_line("clear; stty -a | tr ';' '\\n' >after; cmp before after && echo the same again")
see("\nthe same again", "and the terminal is as it was")

type_line("clear; %s %s" % (tui, shop))
see("restorable:", "once more")
child = subprocess.run(["pgrep", "-P", pid], stdout=subprocess.PIPE, check=False).stdout.split()
os.kill(int(child[0]), 11)
see("restorable:", "a crash gives the screen back", absent=True)
type_line("clear; stty -a | tr ';' '\\n' >after; cmp before after && echo still the same")
see("\nstill the same", "and the terminal is as it was after a crash")

type_line("clear; NO_COLOR=1 TERM=vt100 %s %s" % (tui, shop))
see(">Levels", "a vt100 gets ASCII")
colours = tmux("capture-pane", "-p", "-e", "-t", "t")
tap.ok("\033[3" not in colours.replace("\033[39", ""), "and NO_COLOR no colours", repr(colours))
keys("Q")
tap.ok(tap.wait_for(lambda: tmux("display-message", "-p", "-t", "t",
                                 "#{pane_current_command}").strip() == "sh", 20), "Q quits")
type_line("clear; TERM=dumb %s %s" % (tui, shop))
see("cannot move its cursor", "a dumb terminal is told so")
tmux("kill-server")
tap.done()
