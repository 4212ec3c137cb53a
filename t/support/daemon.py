"""litestream replicate as a process of a test, restores from its file replica, and whole stories.

Imported by scripts that have imported tap. In a Site the test's own process is the application: it
opens the database by SQLite. It must not open the file otherwise (closing a descriptor drops
SQLite's locks), so copies are made by cp.
"""

import concurrent.futures
import json
import os
import signal
import sqlite3
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

    def start(self, *args, **env):
        with open(self.log, "ab") as out:
            self.process = subprocess.Popen((LITESTREAM, "replicate", "-config", self.config) + args,
                                            env=dict(os.environ, **env),
                                            stdin=subprocess.DEVNULL, stdout=out, stderr=out)

    def running(self):
        return self.process is not None and self.process.poll() is None

    def kill(self):
        """As a crash does it. True if it was still running."""
        alive = self.running()
        self.process.kill()
        self.process.wait()
        return alive

    def stop(self, seconds=60, sig=signal.SIGTERM):
        """As an operator does it: the last sync, then the end. Its exit status, None if too late."""
        self.process.send_signal(sig)
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            return None

    def text(self):
        return tap.read(self.log).decode(errors="replace") if os.path.exists(self.log) else ""

    def lines(self, text):
        """Lines of the log with text in them."""
        return [line for line in self.text().splitlines() if text in line]


def restore(replica, output, txid=None):
    """Restores into a file that is replaced; the finished process."""
    remove(output)
    args = ["-txid", txid] if txid else []
    return tap.run(LITESTREAM, "restore", *args, "-o", output, "file://" + replica)


def txids(replica):
    """Every TXID that can be restored, as the command lists them: ascending, as text."""
    r = tap.run(LITESTREAM, "restore-points", "-all", "-json", "file://" + replica)
    return sorted(p["txid"] for p in json.loads(r.stdout)) if r.returncode == 0 else []


def chaos(*args):
    """Runs chaos.py to its end: what it printed as JSON, None and the error if it failed."""
    r = tap.run(sys.executable, os.path.join(SUPPORT, "chaos.py"), *args)
    return (json.loads(r.stdout), "") if r.returncode == 0 else (None, r.stderr.decode())


def compare(a, b):
    """What is different between two databases, "" if nothing is."""
    r = tap.run(sys.executable, os.path.join(SUPPORT, "dbcompare.py"), a, b)
    return "" if r.returncode == 0 else (r.stdout + r.stderr).decode(errors="replace")


def cp(*args):
    subprocess.run(("cp", "-p") + args, check=True)


def remove(db, ends=("", "-wal", "-shm")):
    """Unlinks what there is of a database."""
    for end in ends:
        if os.path.lexists(db + end):
            os.unlink(db + end)


def stories(*functions):
    """Runs them, some at a time: they mostly wait."""
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        for story in [pool.submit(f) for f in functions]:
            story.result()


CONFIG = """
dbs:
  - path: %(link)s
    monitor-interval: %(interval)s
    checkpoint-interval: %(checkpoint)s
    min-checkpoint-page-count: %(pages)d
    replica:
      path: %(root)s
      sync-interval: %(interval)s
shutdown-sync-timeout: %(timeout)s
shutdown-sync-interval: 20ms
"""


class Site:
    """One folder with everything of one story."""

    def __init__(self, page_size=4096, create=True, link=None, interval="15ms", checkpoint="1m",
                 pages=1000, timeout="5s"):
        self.dir = tap.scratch()
        self.db = self.dir + "/data/a.db"
        os.mkdir(self.dir + "/data")
        self.link = self.db if link is None else self.dir + "/" + link
        self.root = self.dir + "/replica"
        self.config = self.dir + "/litestream.yml"
        self.daemon = Daemon(self.config, self.dir + "/log")
        self.restored = 0
        self.app = None
        with open(self.config, "w") as f:
            f.write(CONFIG % {"link": self.link, "root": self.root, "interval": interval,
                              "checkpoint": checkpoint, "pages": pages, "timeout": timeout})
        if create:
            self.create(page_size)

    # ---- the application ----

    def create(self, page_size=4096, pragmas=()):
        self.open()
        self.sql("PRAGMA page_size=%d" % page_size, *pragmas)
        self.sql("PRAGMA journal_mode=wal", "PRAGMA wal_autocheckpoint=0",
                 "CREATE TABLE t(id INTEGER PRIMARY KEY, v BLOB)", "CREATE TABLE u(x, y)")
        self.rows(10)
        self.checkpoint("PASSIVE")

    def open(self):
        self.app = sqlite3.connect(self.db, timeout=10, isolation_level=None)
        self.app.execute("PRAGMA wal_autocheckpoint=0")
        return self.app

    def close(self):
        self.app.close()
        self.app = None

    def sql(self, *statements):
        rows = []
        for text in statements:
            rows = self.app.execute(text).fetchall()
        return rows

    def rows(self, n, size=700):
        """Each its own commit."""
        for _ in range(n):
            self.app.execute("INSERT INTO t(v) VALUES (randomblob(?))", (size,))

    def update(self, n=10):
        for i in range(1, n + 1):
            self.app.execute("UPDATE t SET v = randomblob(650) WHERE id = ?", (i,))

    def checkpoint(self, mode):
        """Row of the pragma. It does not wait for litestream's read transaction."""
        row = self.sql("PRAGMA busy_timeout=20", "PRAGMA wal_checkpoint(%s)" % mode)[0]
        self.sql("PRAGMA busy_timeout=10000")
        return row

    # ---- litestream ----

    def start(self, *args, wait=True):
        before = self.count("msg=litestream ")
        self.daemon.start(*args)
        tap.wait_for(lambda: self.count("msg=litestream ") > before or not self.daemon.running())
        if wait and os.path.exists(self.db):
            return self.reaches()
        return True

    def stop(self, sig=signal.SIGTERM):
        """Its exit status, None if it had to be killed."""
        rc = self.daemon.stop(30, sig)
        if rc is None:
            tap.ok(False, "litestream ends within 30 s of signal %d" % sig, self.text())
        return rc

    def kill(self):
        self.daemon.kill()

    def text(self):
        return self.daemon.text()

    def count(self, text):
        return self.text().count(text)

    def fulls(self):
        return self.count('msg="full snapshot"')

    def tail(self):
        """The end of the log, for a test that failed."""
        return "\n".join(line[:400] for line in self.text().splitlines()[-40:])

    def errors(self):
        return [line for line in self.text().splitlines() if "error" in line.lower()]

    def local(self):
        """TXIDs of the local level-0 files."""
        return self.txids(os.path.join(os.path.dirname(self.link),
                                       ".%s-litestream" % os.path.basename(self.link)))

    def stored(self, level=0):
        return self.txids(self.root, level)

    @staticmethod
    def txids(root, level=0):
        try:
            names = os.listdir("%s/ltx/%d" % (root, level))
        except FileNotFoundError:
            return []
        return sorted(int(n[17:33], 16) for n in names if n.endswith(".ltx"))

    def block(self):
        """The store cannot be reached any more."""
        os.rename(self.root, self.root + ".away")
        tap.write(self.root, b"in the way")

    def unblock(self):
        os.unlink(self.root)
        os.rename(self.root + ".away", self.root)

    # ---- what a restore gives ----

    def restore(self, txid=None):
        """Name of the new database, and the finished process."""
        self.restored += 1
        out = "%s/restored%d.db" % (self.dir, self.restored)
        return out, restore(self.root, out, txid)

    def difference(self, source=None):
        """Empty if a restore gives what the database holds."""
        out, r = self.restore()
        if r.returncode != 0:
            return "restore: %s" % (r.stdout + r.stderr).decode(errors="replace")
        why = compare(source or self.db, out)
        remove(out)
        return why

    def fingerprint(self, db):
        return db.execute("SELECT count(*), total(id), total(length(v)), max(v) FROM t").fetchone()

    def quick_difference(self):
        """The same by the rows of table t only."""
        out, r = self.restore()
        if r.returncode != 0:
            return "restore: %s" % (r.stdout + r.stderr).decode(errors="replace")
        restored = sqlite3.connect(out)
        source = self.app if self.app is not None else sqlite3.connect(self.db, timeout=10)
        same = self.fingerprint(source) == self.fingerprint(restored)
        restored.close()
        os.unlink(out)
        if source is not self.app:
            source.close()
        return "" if same else "other rows"

    def reaches(self, seconds=10):
        """Waits until the replica has what is committed."""
        return self.caught_up(seconds, self.quick_difference)

    def caught_up(self, seconds=10, difference=None):
        self.last = ""

        def same():
            self.last = (difference or self.difference)()
            return self.last == ""
        if tap.wait_for(same, seconds):
            return True
        print("# not caught up after %d s: %s" % (seconds, self.last[:300].replace("\n", "; ")), flush=True)
        return False

    def check(self, name, fulls=None, errors=0):
        """Running: what is committed arrives. Then stops: nothing is missing and all is well."""
        running = self.daemon.running()
        good = self.caught_up() if running else True
        rc = self.stop() if running else 0
        why = self.last if not good else self.difference()
        if fulls is not None and self.fulls() != fulls:
            why += "%d full snapshots, not %d\n" % (self.fulls(), fulls)
        if rc != 0:
            why += "exit status %d\n" % rc
        if errors is not None and len(self.errors()) > errors:
            why += "lines that tell of errors\n"
        return tap.ok(why == "", name, why[:2000] + "\n" + self.tail() if why else "")
