"""A database, its replica and a litestream that runs, for tests of whole stories.

The test's own process is the application: it opens the database by SQLite. It must not open the
file otherwise (closing a descriptor drops SQLite's locks), so copies are made by cp.
"""

import concurrent.futures
import os
import signal
import sqlite3
import subprocess
import sys

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, ".."))
import tap

LITESTREAM = os.path.join(tap.BUILD, "litestream")
COMPARE = os.path.join(HERE, "..", "support", "dbcompare.py")

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


def stories(*functions):
    """Runs them, some at a time: they mostly wait."""
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        for story in [pool.submit(f) for f in functions]:
            story.result()


def cp(*args):
    subprocess.run(("cp", "-p") + args, check=True)


class Site:
    """One folder with everything of one story."""

    def __init__(self, page_size=4096, create=True, link=None, interval="15ms", checkpoint="1m",
                 pages=1000, timeout="5s"):
        self.dir = tap.scratch()
        self.db = self.dir + "/data/a.db"
        os.mkdir(self.dir + "/data")
        self.link = self.db if link is None else self.dir + "/" + link
        self.root = self.dir + "/replica"
        self.log = self.dir + "/log"
        self.config = self.dir + "/litestream.yml"
        self.child = None
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
        with open(self.log, "ab") as log:
            self.child = subprocess.Popen((LITESTREAM, "replicate", "-config", self.config) + args,
                                          stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        tap.wait_for(lambda: self.count("msg=litestream ") > before or self.child.poll() is not None)
        if wait and os.path.exists(self.db):
            return self.reaches()
        return True

    def stop(self, sig=signal.SIGTERM):
        self.child.send_signal(sig)
        try:
            rc = self.child.wait(30)
        except subprocess.TimeoutExpired:
            self.child.kill()
            rc = self.child.wait()
            tap.ok(False, "litestream ends within 30 s of signal %d" % sig, self.text())
        self.child = None
        return rc

    def kill(self):
        return self.stop(signal.SIGKILL)

    def text(self):
        with open(self.log, errors="replace") as f:
            return f.read()

    def count(self, text):
        return self.text().count(text) if os.path.exists(self.log) else 0

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

    # ---- what a restore gives ----

    def restore(self):
        self.restored += 1
        out = "%s/restored%d.db" % (self.dir, self.restored)
        return out, tap.run(LITESTREAM, "restore", "-o", out, "file://" + self.root)

    def difference(self):
        """Empty if a restore gives what the database holds."""
        out, r = self.restore()
        if r.returncode != 0:
            return "restore: %s" % (r.stdout + r.stderr).decode(errors="replace")
        r = tap.run(sys.executable, COMPARE, self.db, out)
        os.unlink(out)
        return (r.stdout + r.stderr).decode(errors="replace") if r.returncode != 0 else ""

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
        running = self.child is not None
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
