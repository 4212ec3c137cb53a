"""The inspector on a terminal that is not there: a pane of tmux, keys sent to it, and its screen as
text."""

import os
import shutil
import subprocess
import time

import tap


def available():
    return shutil.which("tmux") is not None


class Pane:
    def __init__(self, cols=80, rows=24):
        self.socket = os.path.join(tap.scratch(), "tmux")
        self.env = dict(os.environ, TERM="xterm-256color", PS1="$ ", LC_ALL="C.UTF-8")
        self.env.pop("TMUX", None)
        self.tmux("new-session", "-d", "-s", "t", "-x", str(cols), "-y", str(rows), "sh")

    def tmux(self, *args):
        r = subprocess.run(["tmux", "-f", "/dev/null", "-S", self.socket, *args], env=self.env,
                           stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60, check=False)
        return r.stdout.decode(errors="replace")

    def screen(self):
        time.sleep(0.03)  # tmux is asked a few times a second, not as often as one can
        return self.tmux("capture-pane", "-p", "-t", "t")

    def keys(self, *names):
        self.tmux("send-keys", "-t", "t", *names)

    def type(self, text):
        self.tmux("send-keys", "-t", "t", "-l", text)

    def line(self, text):
        self.type(text)
        self.keys("Enter")

    def see(self, text, name, absent=False, seconds=20):
        """Until the text is on the screen, or no longer."""
        good = tap.wait_for(lambda: (text in "\n" + self.screen()) != absent, seconds)
        return tap.ok(good, name, self.screen())

    def child(self):
        """Process id of what the shell runs."""
        shell = self.tmux("list-panes", "-t", "t", "-F", "#{pane_pid}").split()[0]
        r = subprocess.run(["pgrep", "-P", shell], stdout=subprocess.PIPE, check=False)
        return int(r.stdout.split()[0])

    def close(self):
        self.tmux("kill-server")
