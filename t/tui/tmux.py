"""A terminal that is not there, for tests of litestream-tui: tmux with one window."""

import os
import shutil
import subprocess
import time

import tap

if not shutil.which("tmux"):
    tap.skip_all("no tmux")


class Terminal:
    """A shell in a window; each script has a server of its own."""

    def __init__(self, work, cols=80, rows=24, shell="sh", **env):
        self.socket = os.path.join(work, "tmux")
        self.env = dict(os.environ, TERM="xterm-256color", PS1="$ ", LC_ALL="C.UTF-8",
                        XDG_STATE_HOME=os.path.join(work, "state"), **env)
        for name in ("TMUX", "NO_COLOR", "COLORFGBG"):
            self.env.pop(name, None)
        self.tmux("new-session", "-d", "-s", "t", "-x", str(cols), "-y", str(rows), shell)

    def tmux(self, *args):
        r = subprocess.run(["tmux", "-f", "/dev/null", "-S", self.socket, *args], env=self.env,
                           stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60, check=False)
        return r.stdout.decode(errors="replace")

    def screen(self):
        time.sleep(0.03)  # tmux is asked a few times a second, not as often as one can
        return self.tmux("capture-pane", "-p", "-t", "t")

    def keys(self, *names):
        self.tmux("send-keys", "-t", "t", *names)

    def text(self, text):
        self.tmux("send-keys", "-t", "t", "-l", text)

    def line(self, text):
        self.text(text)
        self.keys("Enter")

    def mouse(self, row, col):
        """Press and release of the first button."""
        at = chr(33 + col) + chr(33 + row)
        self.text("\033[M " + at + "\033[M#" + at)

    def resize(self, cols, rows):
        self.tmux("resize-window", "-t", "t", "-x", str(cols), "-y", str(rows))

    def see(self, text, name, absent=False, seconds=20):
        """Until the text is on the screen, or no longer."""
        good = tap.wait_for(lambda: (text in "\n" + self.screen()) != absent, seconds)
        return tap.ok(good, name, self.screen())

    def program(self):
        """The name of the program in the foreground."""
        return self.tmux("display-message", "-p", "-t", "t", "#{pane_current_command}").strip()

    def ends(self, name):
        return tap.ok(tap.wait_for(lambda: self.program() == "sh", 20), name, self.screen())

    def child(self):
        """The process that the shell started last."""
        pid = self.tmux("list-panes", "-t", "t", "-F", "#{pane_pid}").split()[0]
        r = subprocess.run(["pgrep", "-P", pid], stdout=subprocess.PIPE, check=False)
        return int(r.stdout.split()[-1])

    def close(self):
        self.tmux("kill-server")
