#!/usr/bin/env python3
"""litestream restore: every result that the test data names, and every refusal."""

import os
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
import tap
from program import as_json, config, error, litestream, replica, success

import sqlite3

d = tap.scratch()
out = d + "/out.db"


def removed(path):
    for suffix in ["", "-wal", "-shm", "-journal"]:
        if os.path.exists(path + suffix):
            os.remove(path + suffix)


for name in ["replica-a", "replica-head"]:
    folder, expected = replica(d, name)
    for case in expected["restores"]:
        removed(out)
        r = litestream("restore", "-o", out, *case["args"], "file://" + folder)
        label = "%s %s" % (name, " ".join(case["args"]))
        if case["rc"] == 0:
            tap.ok(r.rc == 0 and r.out == "" and r.err == "" and os.path.exists(out)
                   and tap.sha256(out) == case["file_sha256"], label, r)
        else:
            want = case.get("message", "")
            tap.ok(r.rc == 1 and r.out == "" and r.err.startswith("Error: ") and want in r.err
                   and "\nhint: " in r.err and not os.path.exists(out)
                   and not os.path.exists(out + ".tmp"), label, "%r\nwant: %s" % (r, want))
removed(out)

folder = d + "/replica-a"
url = "file://" + folder
latest = "000000000000013c"

r = litestream("restore", "-json", "-integrity-check", "full", "-o", out, url)
j = as_json(r)
tap.ok(r.rc == 0 and isinstance(j.pop("duration_ms"), int) and j ==
       {"db_path": out, "replica": "file", "txid": latest, "integrity_check": "full"},
       "-json says what was restored", r)
tap.ok(r.err.endswith("msg=\"post-restore integrity check passed\" replica=file\n")
       and r.err.count("\n") == 1, "the check is logged, with -json to standard error", r)
tap.ok(not os.path.exists(out + "-wal") and not os.path.exists(out + "-shm"),
       "the check leaves no -wal and -shm")
db = sqlite3.connect(out)
tap.equal(db.execute("pragma integrity_check").fetchall(), [("ok",)], "SQLite takes the database")
db.close()

error(litestream("restore", "-o", out, url),
      "cannot restore, output path already exists and is not empty: %s. Use -force to overwrite"
      % out)
r = litestream("restore", "-if-db-not-exists", "-o", out, "-txid", "0000000000000001", url)
tap.ok(r.rc == 0 and r.err == "" and r.out.endswith('msg="database already exists, skipping"\n'),
       "-if-db-not-exists leaves what is there", r)
before = tap.sha256(out)
success(litestream("restore", "-force", "-txid", "0000000000000001", "-o", out, url), "",
        "-force replaces it")
tap.ok(tap.sha256(out) != before, "by the other transaction")
removed(out)
tap.write(out, b"")
success(litestream("restore", "-o", out, url), "", "an empty file may be in the way")
removed(out)
tap.write(out + "-wal", b"x")
error(litestream("restore", "-o", out, url),
      "cannot restore, SQLite sidecar path already exists: %s-wal. Use -force to overwrite" % out)
removed(out)
error(litestream("restore", "-o", d, url), "cannot restore, output path is a directory: %s" % d)
success(litestream("restore", "-o", d + "/new/folder/x.db", url), "", "missing folders are made")
tap.equal(os.stat(d + "/new/folder").st_mode & 0o777, 0o700, "for their owner alone")

r = litestream("restore", "-dry-run", "-o", out, "-txid", "0000000000000003", url)
tap.ok(r.rc == 0 and r.err == "" and r.out.startswith(
    "Restore plan:\n  source: %s\n  target: %s\n  replica: file\n"
    "  txid range: 0000000000000001 - 0000000000000003\n\nFiles to fetch:\nlevel  file " % (url, out)),
    "-dry-run prints the plan", r)
tap.ok(not os.path.exists(out), "and writes nothing")
r = litestream("restore", "-dry-run", "-json", "-o", out, url)
j = as_json(r)
tap.equal(list(j), ["source", "target_path", "replica", "min_txid", "max_txid", "files"],
          "names in the plan's JSON")
tap.ok(j["min_txid"] == "0000000000000001" and j["max_txid"] == latest and
       list(j["files"][0]) == ["level", "name", "min_txid", "max_txid", "size", "timestamp"] and
       all(os.path.getsize("%s/ltx/%d/%s" % (folder, f["level"], f["name"])) == f["size"]
           for f in j["files"]), "its files are there", r)
error(litestream("restore", "-dry-run", "-o", out, "-txid", "000000000000013d", url),
      "no matching backup files available")

c = config(d, "logging: {stderr: true}\ndbs: [{path: %s/a.db, replica: {path: %s}}]" % (d, folder))
success(litestream("restore", "-config", c, "a.db", cwd=d), "", "by database, to its own path")
tap.equal(tap.sha256(d + "/a.db"), tap.vector_json("replica-a/expected.json")["restores"][0]
          ["file_sha256"], "as the newest transaction left it")
success(litestream("restore", "-config", c, "-o", out, d + "/a.db"), "", "by database, to -o")
removed(out)
success(litestream("restore", "-config", c, "-o", out, "sqlite3://%s/a.db" % d), "",
        "by a path with sqlite3:// in front")
removed(out)
success(litestream("restore", "-config", c, "-o", out, "-timestamp", "2030-01-01T00:00:00+02:00",
                   d + "/a.db"), "", "by database a time to come is the newest transaction")
removed(out)
r = litestream("restore", "-config", c, "-if-db-not-exists", d + "/a.db")
tap.ok(r.rc == 0 and r.out == "" and "skipping" in r.err, "its log goes where logging says", r)

empty = "file://%s/nothing" % d
error(litestream("restore", "-o", out, empty), "no matching backup files available")
r = litestream("restore", "-if-replica-exists", "-o", out, empty)
tap.ok(r.rc == 0 and r.err == "" and r.out.endswith('msg="no matching backups found"\n'),
       "-if-replica-exists lets a missing backup pass", r)
error(litestream("restore", "-timestamp", "2020-01-01T00:00:00Z", "-o", out, empty),
      "no backups found")
error(litestream("restore", "-timestamp", "2020-01-01T00:00:00Z", "-o", out, url),
      "timestamp does not exist",
      "the replica reaches from 2026-11-21T09:21:23.676Z to 2026-11-21T09:21:43.792Z")
error(litestream("restore"), "database path or replica URL required")
error(litestream("restore", url), "-o is required when restoring from a replica URL",
      "litestream restore -o /path/to/db " + url)
error(litestream("restore", "-o", out, url, "x"), "too many arguments")
error(litestream("restore", "-o", out, url, "-json"), "too many arguments",
      "-json stands behind an argument; flags go in front: litestream restore -help")
error(litestream("restore", "-config", c, "-o", out, url),
      "cannot specify a replica URL and the -config flag")
error(litestream("restore", "-config", c, "/x"), "database not found in config: /x")
error(litestream("restore", "-integrity-check", "some", "-o", out, url),
      "invalid -integrity-check value: some", "one of none, quick, full")
error(litestream("restore", "-timestamp", "yesterday", "-o", out, url),
      "invalid -timestamp, must specify in ISO 8601 format (e.g. 2000-01-01T00:00:00Z)",
      "\"yesterday\" is no such time")
error(litestream("restore", "-timestamp", "2026-11-21T09:21:29Z", "-txid", latest, "-o", out, url),
      "cannot specify index & timestamp to restore")
tap.done()
