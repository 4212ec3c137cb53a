#!/usr/bin/env python3
"""litestream ltx: what is on a replica."""

import os
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
import tap
from program import as_json, config, error, left_out, litestream, replica, success

d = tap.scratch()
folder, expected = replica(d)
url = "file://" + folder
names = [os.path.relpath(f["path"], "replica") for f in expected["files"]]


def rows(level):
    out = []
    for f in expected["files"]:
        _, lvl, name = f["path"].replace("replica/", "", 1).split("/")
        if int(lvl) == level:
            created = __import__("datetime").datetime.fromtimestamp(
                f["mtime_ns"] // 10**9, __import__("datetime").timezone.utc)
            out.append((level, name[:16], name[17:33], f["size"],
                        created.strftime("%Y-%m-%dT%H:%M:%SZ")))
    return sorted(out)


def table(wanted):
    lines = [("level", "min_txid", "max_txid", "size", "created")] + [
        tuple(str(c) for c in row) for row in wanted]
    widths = [max(len(line[i]) for line in lines) + 2 for i in range(4)]
    return "".join("".join(line[i].ljust(widths[i]) for i in range(4)) + line[4] + "\n"
                   for line in lines)


everything = []
for level in range(10):
    everything += rows(level)
    success(litestream("ltx", "-level", str(level), url), table(rows(level)), "level %d" % level)
success(litestream("ltx", url), table(rows(0)), "level 0 is the default")
success(litestream("ltx", "-level", "all", url), table(everything), "all levels")
tap.ok(len(everything) == len(expected["files"]) > 300, "every file was listed")
r = litestream("ltx", "-level", "all", "-json", url)
tap.equal([tuple(f.values()) for f in as_json(r)], everything, "all levels as JSON")
tap.equal(list(as_json(r)[0]), ["level", "min_txid", "max_txid", "size", "timestamp"],
          "names in the JSON")
success(litestream("ltx", "-level", "5", "-json", url), "[]\n", "an empty level as JSON")
success(litestream("ltx", "file:///no/such/folder"), table([]), "a missing folder has no files")

c = config(d, "dbs: [{path: %s/a.db, replica: {path: %s}}]" % (d, folder))
success(litestream("ltx", "-config", c, d + "/a.db"), table(rows(0)), "by database")
success(litestream("ltx", "-config", c, "-level", "9", "a.db", cwd=d), table(rows(9)),
        "by a relative path")
success(litestream("ltx", "-config", c, "-level", "9", "sqlite://" + d + "/a.db"), table(rows(9)),
        "by a path with sqlite:// in front")
r = litestream("wal", url)
tap.ok(r.rc == 0 and r.out == table(rows(0)) and r.err ==
       "Warning: 'wal' command is deprecated, please use 'ltx' instead\n",
       "wal is the older name", r)

error(litestream("ltx"), "database path or replica URL required",
      "litestream ltx [options] DB_PATH")
error(litestream("ltx", ""), "database path or replica URL required")
error(litestream("ltx", url, "x"), "too many arguments")
error(litestream("ltx", "-config", c, url), "cannot specify a replica URL and the -config flag")
error(litestream("ltx", "-config", c, d + "/b.db"), "database not found in config: %s/b.db" % d,
      "list the databases with: litestream databases")
for kind in left_out():
    error(litestream("ltx", kind + "://bucket/x"), kind + " replicas are not part of this build")
error(litestream("ltx", "bogus://bucket/x"), "unknown replica type in config: \"bogus\"")
tap.done()
