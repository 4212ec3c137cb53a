#!/usr/bin/env python3
"""Progress of a restore: a line on a terminal, objects with -json, nothing in a pipe."""

import json
import os
import pty
import re
import signal
import sqlite3
import subprocess
import sys
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
import tap
from program import BIN, litestream, success

d = tap.scratch()
out, url = d + "/out.db", "file://%s/replica" % d

db = sqlite3.connect(d + "/app.db")
db.execute("PRAGMA journal_mode=wal")
db.execute("PRAGMA synchronous=off")
db.execute("CREATE TABLE t(id INTEGER PRIMARY KEY, v BLOB)")
db.execute("WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x+1 FROM n WHERE x<70000) "
           "INSERT INTO t SELECT x, randomblob(1000) FROM n")
db.commit()
db.close()
r = litestream("replicate", "-once", d + "/app.db", url)
tap.ok(r.rc == 0, "a replica of 70 MB", r)


def removed():
    for suffix in ["", ".tmp"]:
        if os.path.exists(out + suffix):
            os.remove(out + suffix)


# 300 writes or so that take 3 ms each, so that a fast disk does not end it before the first line. With
# -D the process started is the restore itself.
SLOWLY = ("strace", "-D", "-f", "-qq", "-o", "/dev/null", "-e", "trace=pwrite64", "-e",
          "inject=pwrite64:delay_exit=3000")


def on_terminal(stop_at=None, term="xterm"):
    """Status and what a terminal got; stopped by SIGINT where the text is seen."""
    master, slave = pty.openpty()
    p = subprocess.Popen((*SLOWLY, BIN, "restore", "-parallelism", "1", "-integrity-check", "full", "-o",
                          out, url), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                         stderr=slave, env=dict(os.environ, TERM=term))
    os.close(slave)
    text = b""
    while True:
        try:
            got = os.read(master, 65536)
        except OSError:
            break
        text += got
        if stop_at is not None and stop_at in text:
            p.send_signal(signal.SIGINT)
            stop_at = None
    os.close(master)
    return p.wait(60), text.decode()


LINE = (r"\d+ of 1 files, [\d.]+ \w+ of [\d.]+ MB \(\d+%\), \d+ pages"
        r"(, [\d.]+ \w+/s, [\dhms.]+ left)?")

rc, text = on_terminal()
lines = [x for x in text.split("\r") if x not in ("", "\x1b[K")]
tap.ok(rc == 0 and lines and all(re.fullmatch(LINE + re.escape("\x1b[K"), x) for x in lines),
       "a line with files, bytes, pages, rate and time left", repr(text[:1000]))
tap.ok(text.endswith("\r\x1b[K"), "which is gone at the end", repr(text[-100:]))
removed()
rc, text = on_terminal(b"pages")
tap.ok(rc == 1 and "\r\x1b[KError: " in text and "canceled" in text and "\n" not in
       text.split("Error: ")[0] and not os.path.exists(out) and not os.path.exists(out + ".tmp"),
       "interrupted: the line is gone, an error stands there, no file is left", repr(text[-300:]))
removed()
rc, text = on_terminal(term="dumb")
tap.ok(rc == 0 and text == "", "a terminal that cannot move back gets nothing", repr(text))
removed()
success(litestream("restore", "-o", out, url), "", "nor does a pipe")
removed()

p = subprocess.Popen((BIN, "restore", "-json", "-parallelism", "1", "-integrity-check", "full",
                      "-o", out, url), stdout=subprocess.PIPE, stderr=subprocess.PIPE)
tap.wait_for(lambda: os.path.exists(out + ".tmp"))
p.send_signal(signal.SIGSTOP)  # a store that gives nothing for a while
time.sleep(1.2)
p.send_signal(signal.SIGCONT)
result, err = p.communicate(timeout=60)
objects = [json.loads(x) for x in err.decode().splitlines() if x.startswith("{")]
tap.ok(p.returncode == 0 and len(objects) >= 2 and json.loads(result)["db_path"] == out,
       "with -json, objects on standard error each second", err.decode())
tap.equal(sorted(objects[-1]) if objects else None,
          sorted(["files_done", "files", "bytes_done", "bytes", "pages_written", "elapsed_ms",
                  "bytes_per_second", "seconds_left"]), "their names")
tap.ok(objects and objects[-1]["files_done"] == objects[-1]["files"] == 1 and
       objects[-1]["bytes_done"] == objects[-1]["bytes"] and objects[-1]["elapsed_ms"] >= 1000,
       "the last one says that all is done", objects)
tap.done()
