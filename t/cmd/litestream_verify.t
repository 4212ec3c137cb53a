#!/usr/bin/env python3
"""litestream verify: what is whole passes, each kind of damage is named, and the exit status."""

import os
import shutil
import subprocess
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
import tap
from program import as_json, config, error, litestream, replica, success

d = tap.scratch()
scratch = d + "/tmp"
os.mkdir(scratch)


def verify(*args):
    return litestream("verify", *args, env={"TMPDIR": scratch})


for name in ["replica-a", "replica-head"]:
    folder, expected = replica(d, name)
    r = verify("-full", "file://" + folder)
    newest = max(f["path"].split("-")[-1] for f in expected["files"])[:16]
    tap.ok(r.rc == 0 and r.err == "" and r.out.count("\n") == 1 and
           r.out.startswith("verified %d files, " % len(expected["files"])) and
           r.out.endswith(" restore points can be restored, the newest is %s, SQLite's integrity "
                          "check is ok, 0 findings\n" % newest), name + " is whole", r)
    tap.equal(os.listdir(scratch), [], "the scratch database of -full is gone")

folder = d + "/replica-a"
url = "file://" + folder
j = as_json(verify("-json", url))
tap.equal(list(j), ["ok", "level", "full", "files", "bad_files", "bytes", "points", "points_bad",
                    "txid", "findings"], "names in the JSON")
tap.ok(j["ok"] is True and j["findings"] == [] and j["points"] == 316 and
       j["txid"] == "000000000000013c", "and what it says", j)


def path(level, n):
    where = "%s/ltx/%d" % (folder, level)
    return "%s/%s" % (where, sorted(os.listdir(where))[n])


def damaged(label, wanted, change, *files):
    """Changes, expects findings (kind, file), and puts the files back."""
    kept = [(f, tap.read(f), os.stat(f).st_mtime_ns) for f in files]
    made = change()
    r = verify("-json", url)
    found = [(f["finding"], f["file"]) for f in as_json(r)["findings"] if f["severity"] == "error"]
    tap.ok(r.rc == 1 and r.err == "" and all(w in found for w in wanted), label,
           "%r\nwant: %r\nfound: %r" % (r, wanted, found))
    if made:
        os.remove(made)
    for f, data, ns in kept:
        tap.write(f, data)
        os.utime(f, ns=(ns, ns))
    return r


def key(f):
    return os.path.relpath(f, folder)


def cut(f, size):
    os.truncate(f, size)


def flip(f, at):
    data = bytearray(tap.read(f))
    data[at] ^= 1
    tap.write(f, data)


def rename(f, to):
    os.rename(f, to)
    return to


def put(f, data):
    tap.write(f, data)
    return f


for level in [0, 1, 2, 3]:
    names = os.listdir("%s/ltx/%d" % (folder, level))
    if len(names) > 2:
        f, after = path(level, 1), path(level, 2)
        damaged("a file of level %d is gone" % level, [("hole", key(after))],
                lambda: os.remove(f), f)
for level in [0, 1, 2, 3, 9]:
    f = path(level, 0)
    size = os.path.getsize(f)
    damaged("[#1431] a file of level %d is cut in its page index" % level, [("bad-file", key(f))],
            lambda: cut(f, size - 20), f)
    damaged("a file of level %d is cut in its pages" % level, [("bad-file", key(f))],
            lambda: cut(f, 150), f)
    damaged("a file of level %d is empty" % level, [("bad-file", key(f))], lambda: cut(f, 0), f)
    damaged("a bit of the header of a file of level %d is flipped" % level,
            [("bad-file", key(f))], lambda: flip(f, 40), f)
    damaged("a bit of the checksum of a file of level %d is flipped" % level,
            [("bad-file", key(f))], lambda: flip(f, size - 1), f)
f, g = path(0, 10), path(0, 20)
damaged("a file has another's name", [("bad-file", "ltx/0/%016x-%016x.ltx" % (500, 500)),
                                      ("hole", key(path(0, 11)))],
        lambda: rename(f, "%s/ltx/0/%016x-%016x.ltx" % (folder, 500, 500)), f)
damaged("a file has another's header", [("bad-file", key(f))],
        lambda: tap.write(f, tap.read(g)[:100] + tap.read(f)[100:]), f)
damaged("files overlap", [("overlap", key(path(0, 10)))],
        lambda: put("%s/ltx/0/%016x-%016x.ltx" % (folder, 10, 15), b""))
r = verify(url)
tap.ok(r.rc == 0, "put back, all is well", r)

# What no level bridges.
kept = d + "/kept"
shutil.copytree(folder, kept)
for level in range(1, 10):
    for n in (os.listdir("%s/ltx/%d" % (folder, level))
              if os.path.isdir("%s/ltx/%d" % (folder, level)) else []):
        if int(n[17:33], 16) >= 0x130:
            os.remove("%s/ltx/%d/%s" % (folder, level, n))
os.remove(folder + "/ltx/0/%016x-%016x.ltx" % (0x130, 0x130))
r = verify(url)
tap.ok(r.rc == 1 and "unreachable" in r.out and "the newest is 000000000000012f" in r.out and
       "files that end at TXIDs up to 000000000000013c: 0000000000000130 to 0000000000000130 are "
       "missing" in r.out and "\nhint: " in r.out and r.out.startswith("severity  finding "),
       "what cannot be reached is named, with hints", r)
shutil.rmtree(folder)
shutil.copytree(kept, folder)
for root, _, names in os.walk(folder):  # times lost
    for n in names:
        os.utime(os.path.join(root, n), (1, 1))
r = verify(url)
tap.ok(r.rc == 0 and "note " in r.out and " time " in r.out and "-timestamp goes by" in r.out,
       "a copy without times is noted", r)

# By level.
f = path(0, 5)
cut(f, 200)
r = verify("-level", "1", url)
tap.ok(r.rc == 0 and " 0 findings at level 1\n" in r.out, "-level reads that level alone", r)
tap.equal(verify("-level", "0", url).rc, 1, "and finds what is wrong there")
tap.equal(verify("-level", "7", url).rc, 0, "an empty level is well")

# The last result, kept beside the database.
db = d + "/a.db"
c = config(d, "dbs: [{path: %s, replica: {path: %s}}]" % (db, folder))
tap.write(db, b"x")


def last():
    return as_json(litestream("status", "-config", c, "-json"))[0]["last_verify"]


r = verify("-config", c, db)
tap.ok(r.rc == 1 and r.err == "" and last() is None, "nowhere to keep the result is no error", r)
os.mkdir(d + "/.a.db-litestream")
tap.equal(verify("-config", c, db).rc, 1, "verify by database")
v = last()
tap.ok(v["ok"] is False and v["findings"] == 1 and v["txid"] == "000000000000013c" and
       v["full"] is False and v["at"].endswith("Z"), "status -json shows the last result", v)
os.remove(f)
shutil.copy2(kept + "/" + key(f), f)
tap.equal(verify("-config", c, "-level", "0", db).rc, 0, "one level is well")
tap.equal(last(), v, "but is not kept as a result")
tap.equal(verify("-config", c, "-full", db).rc, 0, "and so is all of it")
v = last()
tap.ok(v["ok"] is True and v["full"] is True and v["findings"] == 0, "which is", v)
tap.write(d + "/.a.db-litestream/verify", b"{\"ok\": true}")
tap.equal(last(), None, "a result that cannot be read is none")
r = litestream("status", "-config", c)
tap.equal(r.out.splitlines()[0].split(), ["database", "status", "local", "txid", "wal", "size"],
          "the table of status has no further column")

# Progress, where somebody looks on.
ours, theirs = os.openpty()
p = subprocess.Popen([os.path.join(tap.BUILD, "litestream"), "verify", url], stderr=theirs,
                     stdout=subprocess.PIPE)
out = p.communicate(timeout=60)[0]
os.close(theirs)
shown = b""
try:
    while chunk := os.read(ours, 65536):
        shown += chunk
except OSError:
    pass  # the end of a terminal that nobody has open any more
shown = shown.decode()
tap.ok(p.returncode == 0 and shown.startswith("\r\033[Kverify: ") and " of 334 files, " in shown
       and shown.endswith("\r\033[K") and b"verify:" not in out, "progress on a terminal", shown)

error(verify("file://%s/nothing" % d), "no backups found", "nothing is stored at file://%s/nothing"
      % d)
v3, _ = replica(d, "v03-a")
error(verify("file://" + v3), "no backups found", "file://%s holds a backup of version 0.3, which is "
      "verified by restoring it: litestream restore -integrity-check full" % v3)
error(verify("-full", "-level", "0", url), "cannot use -full with -level 0")
error(verify("-level", "10", url), "invalid value \"10\" for flag -level: level must be between 0 "
      "and 9")
error(verify(), "database path or replica URL required", "litestream verify [options] DB_PATH")
error(verify(url, "x"), "too many arguments")
error(verify("-config", c, url), "cannot specify a replica URL and the -config flag")
tap.done()
