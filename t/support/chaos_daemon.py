"""litestream replicate as a process of a test, and restores from its file replica.

Imported by scripts that have imported tap.
"""

import json
import os
import signal
import subprocess
import sys

import tap

LITESTREAM = os.path.join(tap.BUILD, "litestream")
SUPPORT = os.path.join(tap.SRC, "t", "support")


def need():
    """The tests of commands need the command."""
    if not os.path.exists(LITESTREAM):
        tap.skip_all("litestream is not built")


class Daemon:
    """Runs with a configuration file; all it ever printed is in one log."""

    def __init__(self, config, log):
        self.config = config
        self.log = log
        self.process = None

    def start(self):
        with open(self.log, "ab") as out:
            self.process = subprocess.Popen([LITESTREAM, "replicate", "-config", self.config],
                                            stdin=subprocess.DEVNULL, stdout=out, stderr=out)

    def running(self):
        return self.process is not None and self.process.poll() is None

    def kill(self):
        """As a crash does it. True if it was still running."""
        alive = self.running()
        self.process.kill()
        self.process.wait()
        return alive

    def stop(self, seconds=60):
        """As an operator does it: the last sync, then the end. Its exit status, None if too late."""
        self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            return None

    def lines(self, text):
        """Lines of the log with text in them."""
        return [l for l in tap.read(self.log).decode(errors="replace").splitlines() if text in l]


def restore(replica, output, txid=None):
    """Restores into a file that is replaced; the finished process."""
    for suffix in ("", "-wal", "-shm"):
        if os.path.exists(output + suffix):
            os.unlink(output + suffix)
    args = ["-txid", txid] if txid else []
    return tap.run(LITESTREAM, "restore", *args, "-o", output, "file://" + replica)


def txids(replica):
    """Every TXID at which a file of the replica ends, ascending, as text."""
    found = set()
    for _, _, names in os.walk(os.path.join(replica, "ltx")):
        found.update(n[17:33] for n in names if n.endswith(".ltx") and len(n) == 37)
    return sorted(found)


def chaos(*args):
    """Runs chaos.py to its end: what it printed as JSON, None and the error if it failed."""
    r = tap.run(sys.executable, os.path.join(SUPPORT, "chaos.py"), *args)
    return (json.loads(r.stdout), "") if r.returncode == 0 else (None, r.stderr.decode())


def compare(a, b):
    """What is different between two databases, "" if nothing is."""
    r = tap.run(sys.executable, os.path.join(SUPPORT, "dbcompare.py"), a, b)
    return "" if r.returncode == 0 else r.stdout.decode() + r.stderr.decode()
