"""The story of a store: a database that is written to and replicated there, with levels and
snapshots within seconds and a daemon that is killed once, then restored; and settings that are
wrong. Imported by scripts that have imported tap; the store is one of t/servers/servers.py.

Moments are at least a second away from any commit: stores keep times by the second, or those of
the upload.
"""

import os
import sqlite3
import time

import tap
import daemon

CONFIG = """
levels: [{interval: 700ms}, {interval: 2s}]
snapshot: {interval: 3s, retention: 1h}
l0-retention: 3s
l0-retention-check-interval: 1s
verify-compaction: true
logging: {level: debug}
dbs:
  - path: %(db)s
    monitor-interval: 50ms
    checkpoint-interval: 2s
    replica:
      sync-interval: 50ms
%(replica)s"""


def quiet():
    time.sleep(2.2)


def content(path):
    """What SQLite finds in a database."""
    db = sqlite3.connect(path)
    rows = db.execute("PRAGMA integrity_check").fetchall() + \
        db.execute("SELECT n, hex(v) FROM t ORDER BY n").fetchall()
    db.close()
    return rows


class Story:
    def __init__(self, store, path):
        self.store, self.path = store, path
        self.dir = tap.scratch()
        self.db = os.path.join(self.dir, "app.db")
        self.config = self.configure(store.settings, "litestream.yml")
        self.daemon = daemon.Daemon(self.config, os.path.join(self.dir, "log"))
        self.app = sqlite3.connect(self.db, isolation_level=None, timeout=10)
        self.app.execute("PRAGMA journal_mode=wal")
        self.app.execute("CREATE TABLE t(n INTEGER PRIMARY KEY, v BLOB)")
        self.kept = {}

    def configure(self, settings, name):
        """A configuration with these settings of the store."""
        other = type(self.store)(self.store.label, self.store.type, settings)
        path = os.path.join(self.dir, name)
        tap.write(path, (CONFIG % {"db": self.db,
                                   "replica": other.yaml(self.path, 6)}).encode())
        return path

    def command(self, *args, config=None):
        return tap.run(daemon.LITESTREAM, args[0], "-config", config or self.config, *args[1:],
                       env=dict(os.environ, **self.store.env))

    # ---- what happens ----

    def write(self, n, size=300):
        for _ in range(n):
            self.app.execute("INSERT INTO t(v) VALUES (randomblob(?))", (size,))
            time.sleep(0.01)
        self.app.execute("UPDATE t SET v = randomblob(?) WHERE n %% 7 = %d" % (n % 7), (size,))

    def keep(self, name):
        """What the database holds, and a time a second later."""
        later = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 1))
        self.kept[name] = (content(self.db), later)

    def txid(self):
        """The newest that the store has."""
        r = self.command("restore-points", "-all", "-json", self.db)
        points = daemon.json.loads(r.stdout) if r.returncode == 0 else []
        return max([p["txid"] for p in points], default=None)

    def start(self):
        self.daemon.start(**self.store.env)

    def difference(self, name, *args):
        """What a restore gives beside what was kept; "" if it is the same."""
        out = os.path.join(self.dir, "out.db")
        daemon.remove(out)
        r = self.command("restore", "-o", out, *args, self.db)
        if r.returncode != 0:
            return "restore: " + (r.stdout + r.stderr).decode(errors="replace")
        want, got = self.kept[name][0], content(out)
        return "" if got == want else "%d rows, not %d; first of them %s, not %s" % (
            len(got) - 1, len(want) - 1, got[0], want[0])

    def arrives(self, name, seconds=20):
        """The newest point of the store is that one."""
        self.why = ""

        def same():
            self.why = self.difference(name)
            return self.why == ""
        return tap.wait_for(same, seconds)

    # ---- the story ----

    def ok(self, good, name, detail=""):
        return tap.ok(good, "[%s] %s" % (self.store.label, name), detail)

    def run(self):
        self.write(30)
        self.start()
        self.write(60)
        self.keep("first")
        self.ok(self.arrives("first"), "what was written before and while it runs arrives", self.why)
        first = self.txid()
        quiet()
        self.write(40, 5000)
        self.keep("second")
        quiet()
        self.ok(self.daemon.kill(), "the daemon was running until it was killed", self.tail())
        self.write(50)
        self.start()
        self.write(20)
        self.keep("third")
        self.ok(self.arrives("third"), "after SIGKILL and a new start all arrives", self.why)
        quiet()
        self.write(60)
        self.keep("last")
        rc = self.daemon.stop()
        self.ok(rc == 0, "the daemon ends well", "status %s\n%s" % (rc, self.tail()))
        self.check_restores(first)

    def check_restores(self, first):
        for name, args in (("last", ()), ("first", ("-txid", str(first))),
                           ("second", ("-timestamp", self.kept["second"][1])),
                           ("last", ("-integrity-check", "full"))):
            why = self.difference(name, *args)
            self.ok(why == "", "restore %s gives what there was" % " ".join(args[:1] or ("latest",)),
                    why)
        listing = self.command("ltx", "-level", "all", self.db).stdout.decode().splitlines()[1:]
        levels = {line.split()[0] for line in listing}
        self.ok({"1", "9"} <= levels, "there are files of higher levels and snapshots", listing)
        r = self.command("verify", self.db)
        self.ok(r.returncode == 0, "every point can be restored", (r.stdout + r.stderr).decode())
        errors = [line for line in self.daemon.text().splitlines() if "level=ERROR" in line]
        self.ok(errors == [], "no errors in the log", "\n".join(errors))
        self.no_secrets(self.daemon.text(), "the log")

    def wrong(self, name, changes, message, drop=(), env=None):
        """With other settings every command fails, says why and what to do, and shows no secret."""
        settings = {k: v for k, v in dict(self.store.settings, **changes).items() if k not in drop}
        config = self.configure(settings, "wrong.yml")
        shown = ""
        for args in (("ltx", self.db), ("restore", "-o", os.path.join(self.dir, "none.db"), self.db)):
            r = tap.run(daemon.LITESTREAM, args[0], "-config", config, *args[1:],
                        env=dict(os.environ, **dict(self.store.env, **(env or {}))))
            text = (r.stdout + r.stderr).decode(errors="replace")
            shown += text
            self.ok(r.returncode == 1 and message in text and "\nhint: " in text,
                    "%s: %s fails with a hint" % (name, args[0]), "%d\n%s" % (r.returncode, text))
        self.no_secrets(shown, name, [v for v in changes.values() if isinstance(v, str)
                                      and "secret" in v])

    def no_secrets(self, text, name, more=()):
        shown = [s for s in list(self.store.secrets) + list(more) if s in text]
        self.ok(shown == [], "no secret is shown: " + name, repr(shown))

    def tail(self):
        return "\n".join(line[:300] for line in self.daemon.text().splitlines()[-20:])
