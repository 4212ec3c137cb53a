#!/usr/bin/env python3
"""What the inspector is for, in ten keys: a bad UPDATE was committed. From the timeline to the pages
that it changed, back to the moment before, restored beside the live file, checked, path copied."""

import os
import re
import sqlite3
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
import tap

TUI = os.path.join(tap.BUILD, "litestream-tui")
work = tap.scratch()
live, replica = os.path.join(work, "shop.db"), os.path.join(work, "replica")
db = sqlite3.connect(live, isolation_level=None)


def commit(*statements):
    for s in statements:
        db.execute(*s) if isinstance(s, tuple) else db.execute(s)
    r = tap.run(os.path.join(tap.BUILD, "litestream"), "replicate", "-once", live,
                "file://" + replica)
    if r.returncode != 0:
        tap.ok(False, "a commit is replicated", r)


def screen(keys, view="levels", size="100x24"):
    r = tap.run(TUI, "-once", view, "-size", size, "-keys", " ".join(keys), "file://" + replica,
                cwd=work)
    return r.stdout.decode() + r.stderr.decode()


commit("PRAGMA journal_mode = WAL",
       "CREATE TABLE orders (id INTEGER PRIMARY KEY, who TEXT, amount REAL, state TEXT)",
       "CREATE TABLE other (v)", "CREATE INDEX orders_by_state ON orders (state)")
for i in range(1, 9):
    commit(("INSERT INTO orders VALUES (?, ?, ?, 'paid')", [i, "customer %d" % i, i * 10.5]))
good = db.execute("SELECT * FROM orders").fetchall()
commit("UPDATE orders SET amount = 0, state = 'void'")
bad = db.execute("SELECT * FROM orders").fetchall()
commit("INSERT INTO other VALUES ('goes on')")

keys = ["2"]
text = screen(keys)
newest = int(re.search(r"TXID ([0-9a-f]{16})", text).group(1), 16)
tap.ok("changed here: " in text and "other (1 page)" in text, "the newest commit is another", text)
keys += ["left"]
text = screen(keys)
tap.ok("orders (1 page)" in text and "orders_by_state (1 page)" in text
       and "other" not in text, "the one before wrote to the table in question", text)
keys += ["d"]
text = screen(keys)
tap.ok(re.search(r"leaf table +orders", text), "d shows the pages", text)
keys += ["enter"]
text = screen(keys)
tap.ok("cells: 8 changed" in text and "(NULL,'customer 1',0,'void')" in text and "was 1 (NULL,'customer 1',10.5,'paid')" in text,
       "the page shows what the rows are and were", text)
keys += ["q", "q", "left"]
text = screen(keys)
tap.ok("TXID %016x" % (newest - 2) in text, "and the moment before it is chosen", text)
keys += ["r"]
text = screen(keys)
name = "restored-%x.db" % (newest - 2)
tap.ok(name in text and "check     ( ) none   (*) quick" in text and "free" in text
       and "litestream restore -txid %016x" % (newest - 2) in text, "r plans a restore", text)
tap.ok(not os.path.exists(os.path.join(work, name)), "nothing has started yet")
keys += ["S", "Y"]
text = screen(keys, size="200x24")
tap.ok("✓ restored, and SQLite found it whole" in text, "S restores and checks", text)
tap.ok("copied: %s" % os.path.join(work, name) in text, "Y copies the path", text)
tap.ok(len(keys) <= 10, "in ten keys", keys)

restored = sqlite3.connect(os.path.join(work, name))
tap.equal(restored.execute("SELECT * FROM orders").fetchall(), good, "the rows are as they were")
tap.equal(db.execute("SELECT * FROM orders").fetchall(), bad, "the live database was not touched")
tap.done()
