#!/usr/bin/env python3
"""litestream restore-points: windows, gaps, every point; and that each can be restored."""

import os
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
import tap
from program import as_json, config, error, litestream, replica, success

d = tap.scratch()
folder, expected = replica(d)
url = "file://" + folder
out = d + "/out.db"
NAMES = ["from", "to", "first_txid", "last_txid", "points", "granularity", "level"]


def remove(level, keep):
    """Removes the level's files whose (min, max) keep does not like."""
    where = "%s/ltx/%d" % (folder, level)
    for n in os.listdir(where):
        if not keep(int(n[:16], 16), int(n[17:33], 16)):
            os.remove(where + "/" + n)


r = litestream("restore-points", url)
lines = r.out.splitlines()
tap.ok(r.rc == 0 and r.err == "" and lines[0].split() == NAMES and len(lines) == 2,
       "a replica with all its level-0 files is one window", r)
tap.equal(lines[1].split()[2:5], ["0000000000000001", "000000000000013c", "316"],
          "from the first TXID to the newest, each one")
j = as_json(litestream("restore-points", "-json", url))
tap.equal((list(j), list(j["windows"][0]), j["gaps"]), (["windows", "gaps"], NAMES, []),
          "names in the JSON")
r = litestream("restore-points", "-all", url)
rows = [line.split() for line in r.out.splitlines()]
tap.equal((rows[0], len(rows)), (["txid", "created", "level"], 317), "-all lists each point")
j = as_json(litestream("restore-points", "-all", "-json", url))
tap.equal([[p["txid"], p["timestamp"], str(p["level"])] for p in j], rows[1:], "and as JSON")

c = config(d, "dbs: [{path: %s/a.db, replica: {path: %s}}]" % (d, folder))
tap.equal(litestream("restore-points", "-config", c, "-all", d + "/a.db").out, r.out, "by database")

# As retention leaves it: the newer TXIDs one by one, before them the ends of higher levels.
remove(0, lambda low, high: low > 192)  # where level 1 ends
j = as_json(litestream("restore-points", "-json", url))
tap.ok([w["level"] for w in j["windows"]] == sorted((w["level"] for w in j["windows"]),
                                                    reverse=True) and j["windows"][-1]["level"] == 0
       and j["windows"][-1]["last_txid"] == "000000000000013c" and j["gaps"] == [],
       "coarser windows come before finer ones", j)
points = as_json(litestream("restore-points", "-all", "-json", url))
tap.equal(len(points), sum(w["points"] for w in j["windows"]), "the windows count every point")
good = True
for p in points[:12] + points[-3:]:
    r = litestream("restore", "-force", "-o", out, "-txid", p["txid"], url)
    good = good and r.rc == 0
tap.ok(good, "each that is listed can be restored")
listed = {p["txid"] for p in points}
missing = next("%016x" % t for t in range(1, 192) if "%016x" % t not in listed)
tap.equal(litestream("restore", "-force", "-o", out, "-txid", missing, url).rc, 1,
          "one that is not listed cannot")

# A hole behind everything that bridges it.
remove(0, lambda low, high: low != 0x13a)
for level in range(1, 10):
    if os.path.isdir("%s/ltx/%d" % (folder, level)):
        remove(level, lambda low, high: high < 0x13a)
r = litestream("restore-points", url)
tap.ok(r.rc == 0 and r.out.endswith("\n\ngap_from          gap_to            newest_before\n"
                                    "000000000000013a  000000000000013c  0000000000000139\n"),
       "a gap is named, and the newest restore point before it", r)
j = as_json(litestream("restore-points", "-json", url))
tap.equal(j["gaps"], [{"from": "000000000000013a", "to": "000000000000013c",
                       "newest_before": "0000000000000139"}], "and as JSON")

success(litestream("restore-points", "file://%s/nothing" % d), "  ".join(NAMES) + "\n",
        "an empty replica has none")
v3, _ = replica(d, "v03-a")
r = litestream("restore-points", "file://" + v3)
tap.ok(r.rc == 0 and r.out.endswith("\n\nversion 0.3: 2026-11-21T09:27:35.365Z to "
                                    "2026-11-21T09:27:47.317Z\n"), "a v0.3 replica is named", r)
tap.equal(as_json(litestream("restore-points", "-json", "file://" + v3))["v0.3"],
          {"from": "2026-11-21T09:27:35.365Z", "to": "2026-11-21T09:27:47.317Z"}, "and as JSON")
error(litestream("restore-points"), "database path or replica URL required",
      "litestream restore-points [options] DB_PATH")
error(litestream("restore-points", url, "x"), "too many arguments")
error(litestream("restore-points", "-config", c, url),
      "cannot specify a replica URL and the -config flag")
tap.done()
