#!/usr/bin/env python3
"""What people get wrong, and what disks do: each time one line that says what and where, and a hint."""

import os
import resource
import shutil
import signal
import sqlite3
import subprocess
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
import tap
from program import BIN, Result, config, litestream, replica

d = tap.scratch()


def told(r, name, *parts):
    """An error with these parts in its first line, and a hint."""
    lines = r.err.splitlines()
    tap.ok(r.rc == 1 and len(lines) == 2 and lines[0].startswith("Error: ")
           and all(p in lines[0] for p in parts) and lines[1].startswith("hint: "),
           name, "%r\nwanted in it: %r" % (r, parts))


def path(*names):
    return os.path.join(d, *names)


def make_db(name, rows=100):
    db = sqlite3.connect(path(name))
    db.execute("create table t(x)")
    db.executemany("insert into t values(randomblob(?))", [(200,)] * rows)
    db.commit()
    db.close()
    return path(name)


url = "file://" + path("r")
db = make_db("a.db")
nothing = path("none.db")
text = path("text.db")
tap.write(text, b"This is no database at all. " * 100)
folder = path("folder.db")
os.mkdir(folder)

# ---- no such file ----
told(litestream("replicate", "-once", nothing, url), "replicate: no such database", nothing)
told(litestream("replicate", "-once", path("no/folder/x.db"), url), "replicate: no such folder",
     path("no/folder/x.db"))
told(litestream("restore", "-config", path("no.yml"), db), "restore: no such configuration",
     path("no.yml"))
told(litestream("restore", "-o", path("o.db"), "file://" + path("nowhere")),
     "restore: no such replica", "no matching backup files available")
told(litestream("reset", nothing), "reset: no such database", nothing)
told(litestream("ltx", "-config", config(d, "dbs: []"), nothing), "ltx: no such database", nothing)

# ---- not a database ----
before = tap.read(text)
told(litestream("replicate", "-once", text, url), "replicate: a text file", text,
     ": not an SQLite database")
tap.ok(tap.read(text) == before and not os.path.exists(text + "-wal"), "which is left as it was")
told(litestream("replicate", "-once", folder, url), "replicate: a folder", folder)
told(litestream("restore", "-o", folder, "file://" + path("nowhere")), "restore: onto a folder",
     folder, "is a directory")
header = path("header.db")
tap.write(header, tap.read(db)[:100])
told(litestream("replicate", "-once", header, url), "replicate: a database cut short", header)

# ---- damaged LTX files ----
tree, expected = replica(d)
url_a = "file://" + tree
told(litestream("restore", "-o", db + "/x.db", url_a), "restore: below a file", db)
plan = litestream("restore", "-dry-run", "-o", path("o.db"), url_a).out.splitlines()
planned = [line.split() for line in plan if ".ltx" in line]
tap.ok(len(planned) > 1, "there is a plan of several files to damage", plan)


def damaged(name, change, *parts):
    for level, file in [planned[0][:2], planned[-1][:2]]:
        victim = os.path.join(tree, "ltx", level, file)
        good = tap.read(victim)
        times = os.stat(victim)
        tap.write(victim, change(good))
        r = litestream("restore", "-o", path("o.db"), url_a)
        told(r, "restore: %s (%s)" % (name, file), file[:16], file[17:33], *parts)
        tap.ok(not os.path.exists(path("o.db")) and not os.path.exists(path("o.db.tmp")),
               "and nothing is left behind")
        tap.write(victim, good)
        os.utime(victim, ns=(times.st_atime_ns, times.st_mtime_ns))


def flip(at):
    return lambda b: b[:at] + bytes([b[at] ^ 0x55]) + b[at + 1:]


damaged("a flipped bit in a page", flip(140))
damaged("a flipped bit in the trailer", lambda b: b[:-3] + bytes([b[-3] ^ 1]) + b[-2:])
damaged("a flipped magic", flip(0))
damaged("a file cut short", lambda b: b[:len(b) // 2])
damaged("an empty file", lambda b: b"")
damaged("another kind of file", lambda b: b"<html>404 not found</html>" * 40)
victim = os.path.join(tree, "ltx", *planned[-1][:2])
good = tap.read(victim)
os.remove(victim)
r = litestream("restore", "-o", path("o.db"), "-txid", planned[-1][3], url_a)
told(r, "restore: a file is missing")
tap.write(victim, good)

# ---- wrong URLs, keys, flags ----
told(litestream("restore", "-o", path("o.db"), "s4://bucket/x"), "a wrong scheme", "s4")
told(litestream("replicate", db, "/just/a/path"), "replicate: a path for a URL",
     "replica url scheme required: /just/a/path")
told(litestream("replicate", db, "file://"), "replicate: a URL of nothing", "path required")
told(litestream("replicate", db, "file:///a/%zz"), "a wrong escape", "%zz")
told(litestream("replicate", db, "https://example.com/x"), "a web address", "https")
told(litestream("replicate", db), "replicate: no URL", "a.db")
told(litestream("replicate", db, url, url), "replicate: two URLs", "multiple replicas")
told(litestream("replicate", db, url, "-once"), "replicate: a flag behind the URL", "-once")
told(litestream("replicate", "-config", path("no.yml"), db, url), "replicate: URL and -config",
     "-config")
told(litestream("replicate", "-config", config(d, "dbs:\n- path: /a\n  replcia: {}\n")),
     "a wrong key", path("litestream.yml") + ":3:3", "replcia")
told(litestream("replicate", "-config", config(d, "exec: /no/such/program\n")), "exec: no such program",
     "exec")
told(litestream("replicate", "-config", config(d, "dbs: [{path: %s}]\n" % db)),
     "replicate: no replica", "must specify replica")
told(litestream("replicate", "-config",
                config(d, "dbs: [{dir: %s, pattern: '*.sqlite', replica: {path: /r}}]\n" % d)),
     "replicate: a folder without databases", "no SQLite databases found in directory")
told(litestream("replicate", "-config",
                config(d, "dbs: [{dir: %s, pattern: 'a[', replica: {path: /r}}]\n" % d)),
     "replicate: a pattern that is none", "syntax error in pattern")
told(litestream("replicate", "-onec"), "a wrong flag", "-onec")
two = "dbs: [{path: %s, replica: {path: %s}}, {path: %s, replica: {path: %s}}]\n"
told(litestream("replicate", "-config", config(d, two % (db, path("q"), nothing, path("q")))),
     "two databases with one replica", db, nothing, "share one replica")
os.symlink(db, path("link.db"))
told(litestream("replicate", "-config", config(d, two % (db, path("q"), path("link.db"), path("p")))),
     "one database twice", db, "same file")

# ---- read-only folders: not as root, who may write everywhere ----
mine = path("mine")
os.mkdir(mine)
program = path("mine", "litestream")
shutil.copy(BIN, program)
if os.geteuid() == 0:
    who = {"user": 65534, "group": 65534, "extra_groups": []}
    for root, folders, files in os.walk(d):
        for f in [""] + files:
            os.chown(os.path.join(root, f), 65534, 65534)
else:
    who = {}


def as_user(*args, **kw):
    env = {k: v for k, v in os.environ.items() if not k.startswith(("LITESTREAM_", "LOG_LEVEL"))}
    return Result(tap.run(program, *args, env=env, cwd="/", **who, **kw))


def locked(folder_, mode, name, args, *parts):
    os.chmod(folder_, mode)
    try:
        told(as_user(*args), name, *parts)
    finally:
        os.chmod(folder_, 0o755)


ro = path("ro")
os.mkdir(ro)
if os.geteuid() == 0:
    os.chown(ro, 65534, 65534)
locked(ro, 0o555, "restore: into a read-only folder",
       ("restore", "-o", path("ro", "o.db"), url_a), path("ro", "o.db"), "Permission denied")
locked(ro, 0o555, "replicate: to a read-only folder",
       ("replicate", "-once", db, "file://" + path("ro", "r")), path("ro", "r"), "Permission denied")
inside = path("ro", "b.db")
shutil.copy(db, inside)
if os.geteuid() == 0:
    os.chown(inside, 65534, 65534)
locked(ro, 0o555, "replicate: a database in a read-only folder",
       ("replicate", "-once", inside, "file://" + path("r4")), inside)
locked(ro, 0o000, "replicate: a folder that may not be entered",
       ("replicate", "-once", inside, "file://" + path("r5")), ro)
os.chmod(inside, 0o000)
told(as_user("replicate", "-once", inside, "file://" + path("r6")),
     "replicate: a database that may not be read", inside)
os.chmod(inside, 0o644)
secret = config(mine, "dbs: []")
os.chmod(secret, 0o000)
told(as_user("databases", "-config", secret), "a configuration that may not be read", secret,
     "Permission denied")

# ---- standard output and error closed ----
def closed(*args):
    return tap.run("sh", "-c", 'exec "$0" "$@" <&- >&- 2>&-', BIN, *args).returncode


before = sqlite3.connect(db).execute("select count(*), sum(length(x)) from t").fetchall()
tap.equal(closed("replicate", "-once", db, "file://" + path("r7")), 0, "closed descriptors: replicate")
c = sqlite3.connect(db)
tap.equal((c.execute("pragma integrity_check").fetchall(),
           c.execute("select count(*), sum(length(x)) from t").fetchall()), ([("ok",)], before),
          "and no log goes into the database")
c.close()
tap.equal(closed("version"), 1, "closed descriptors: version fails")

# ---- full disk ----
big = make_db("big.db", rows=20000)
litestream("replicate", "-once", big, "file://" + path("big"))
tap.ok(litestream("restore", "-o", path("whole.db"), "file://" + path("big")).rc == 0,
       "a database of some MB is replicated")
small = path("small")
os.mkdir(small)
space = ["unshare", "-m"] if os.geteuid() == 0 else ["unshare", "-Urm"]
script = 'mount -t tmpfs -o size=256k none "$0" && "$@"; rc=$?; ls -A "$0" >&2; exit $rc'


def on_full_disk(*args):
    """Runs it with a very small file system at small; the last lines of stderr are what is left."""
    r = Result(tap.run(*space, "sh", "-c", script, small, BIN, *args))
    r.left = r.err.splitlines()[2:]
    r.err = "\n".join(r.err.splitlines()[:2])
    return r


def limited(*args):
    """Where nothing can be mounted: files may not grow."""
    def limit():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (256 << 10, 256 << 10))
    r = Result(tap.run(BIN, *args, preexec_fn=limit))
    r.left = os.listdir(small)
    return r


probe = subprocess.run([*space, "sh", "-c", script, small, "true"], stdout=subprocess.DEVNULL,
                       stderr=subprocess.DEVNULL)
full, why = ((on_full_disk, "free") if probe.returncode == 0 else (limited, "File too large"))
r = full("restore", "-o", path("small", "o.db"), "file://" + path("big"))
told(r, "restore: onto a full disk", path("small"), why)
tap.equal(r.left, [], "nothing is left behind")
r = full("replicate", "-once", big, "file://" + path("small", "r"))
told(r, "replicate: to a full disk", path("small"),
     "No space left" if full == on_full_disk else why)
tap.ok(full == limited or "free some space" in r.err, "and the hint is to free some", r)
tap.done()
