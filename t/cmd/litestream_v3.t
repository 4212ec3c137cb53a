#!/usr/bin/env python3
"""litestream restore from replicas of version 0.3."""

import os
import shutil
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
import tap
from program import as_json, config, error, litestream, replica, success

d = tap.scratch()
out = d + "/out.db"
folder, expected = replica(d, "v03-a")
url = "file://" + folder
wal = folder + "/generations/cff07dc93e15e57d/wal"


def removed():
    for suffix in ["", "-wal", "-shm", ".tmp", ".tmp-wal", ".tmp-shm"]:
        if os.path.exists(out + suffix):
            os.remove(out + suffix)


ran = 0
for case in expected["expected"]:
    if "-generation" in case["args"]:
        continue  # an option that versions since 0.5 lack
    ran += 1
    removed()
    r = litestream("restore", "-o", out, *case["args"], url)
    label = "v0.3 %s %s" % (" ".join(case["args"]), case["note"])
    if case["ok"]:
        tap.ok(r.rc == 0 and r.out == r.err == "" and tap.sha256(out) == case["file_sha256"]
               and sorted(os.listdir(d)) == ["out.db", "v03-a"], label, r)
    else:
        tap.ok(r.rc == 1 and r.err.startswith("Error: timestamp does not exist\nhint: the replica "
                                              "reaches from 2026-11-21T09:27:35.365Z to "
                                              "2026-11-21T09:27:47.317Z\n")
               and os.listdir(d) == ["v03-a"], label, r)
tap.ok(ran >= 20, "all of the recorded restores were tried")
latest = expected["expected"][0]["file_sha256"]

removed()
r = litestream("restore", "-json", "-integrity-check", "full", "-o", out, url)
j = as_json(r)
tap.ok(r.rc == 0 and j["txid"] == "" and j["integrity_check"] == "full" and
       tap.sha256(out) == latest, "-json: there is no TXID", r)
error(litestream("restore", "-o", out, url),
      "cannot restore, output path already exists and is not empty: %s. Use -force to overwrite"
      % out)
success(litestream("restore", "-force", "-o", out, url), "", "-force replaces what is there")
removed()
error(litestream("restore", "-o", out, "-txid", "0000000000000001", url),
      "no matching backup files available")
c = config(d, "dbs: [{path: %s/a.db, replica: {path: %s}}]" % (d, folder))
success(litestream("restore", "-config", c, d + "/a.db"), "", "by database")
tap.equal(tap.sha256(d + "/a.db"), latest, "and as its end left it")

r = litestream("restore", "-dry-run", "-o", out, "-timestamp", "2026-11-21T09:27:36Z", url)
lines = r.out.splitlines()
tap.ok(r.rc == 0 and lines[:6] == ["Restore plan:", "  source: " + url, "  target: " + out,
                                   "  replica: file", "  format: v0.3", ""]
       and "snapshots/00000000.snapshot.lz4" in lines[8]
       and "wal/00000000_00000000.wal.lz4" in lines[9], "-dry-run names the objects", r)
j = as_json(litestream("restore", "-dry-run", "-json", "-o", out, url))
tap.ok(j["format"] == "v0.3" and list(j["files"][0]) == ["name", "size", "timestamp"] and
       all(os.path.getsize(folder + "/" + f["name"]) == f["size"] for f in j["files"]),
       "and as JSON", j)
tap.ok(not os.path.exists(out), "and writes nothing")

gone = wal + "/00000008_00004080.wal.lz4"
os.remove(folder + "/generations/cff07dc93e15e57d/snapshots/00000008.snapshot.lz4")
shutil.move(gone, d + "/gone")
r = litestream("restore", "-o", out, url)
tap.ok(r.rc == 1 and r.err.startswith(
    "Error: missing WAL segment: expected generations/cff07dc93e15e57d/wal/00000008_00004080.wal."
    "lz4, got ") and "\nhint: what comes before can be restored with -timestamp " in r.err and
    not os.path.exists(out), "[T20 #1230] a missing segment is named, with how far one gets", r)
before = r.err.split("-timestamp ")[1].strip()
success(litestream("restore", "-o", out, "-timestamp", before, url), "", "which works")
removed()
shutil.move(d + "/gone", gone)
data = tap.read(gone)
tap.write(gone, data[:-9])
r = litestream("restore", "-o", out, url)
tap.ok(r.rc == 1 and r.err.startswith("Error: generations/cff07dc93e15e57d/wal/00000008_00004080."
                                      "wal.lz4: lz4: cut short after ") and "\nhint: " in r.err
       and not os.path.exists(out), "a segment that was cut is named", r)
tap.write(gone, data)
success(litestream("restore", "-o", out, url), "",
        "[#933 #1229] many logs behind a snapshot, each checkpointed before the next")
tap.equal(tap.sha256(out), latest, "to the same end")
removed()

# Both formats in one place: the newer end counts, and by time the newer base.
both = d + "/both"
shutil.copytree(folder, both)
a, ltx = replica(d, "replica-a")
shutil.copytree(a + "/ltx", both + "/ltx")
for root, _, names in os.walk(both):
    for n in names:
        st = os.stat(os.path.join(a if "/ltx" in root else folder,
                                  os.path.relpath(os.path.join(root, n), both)))
        os.utime(os.path.join(root, n), ns=(st.st_mtime_ns, st.st_mtime_ns))
success(litestream("restore", "-o", out, "file://" + both), "", "both formats: restored")
tap.equal(tap.sha256(out), latest, "from the newer one, which is v0.3 here")
removed()
success(litestream("restore", "-o", out, "-timestamp", "2026-11-21T09:21:43.5Z", "file://" + both),
        "", "both formats: by a time before v0.3's first snapshot")
tap.ok(tap.sha256(out) != latest, "from LTX files")
removed()
success(litestream("restore", "-o", out, "-txid", "000000000000013c", "file://" + both), "",
        "both formats: by TXID")
tap.equal(tap.sha256(out), ltx["restores"][0]["file_sha256"], "from LTX files")
tap.done()
