#!/usr/bin/env python3
"""Commands, help, versions and flags of litestream."""

import os
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
import tap
from program import BIN, error, litestream, success

COMMANDS = ["check", "databases", "info", "list", "ltx", "register", "replicate", "reset", "restore",
            "restore-points", "start", "status", "stop", "sync", "unregister", "verify", "version"]

r = litestream()
tap.ok(r.rc == 1 and r.err == "" and r.out.startswith("litestream is a tool"),
       "without a command the list of commands is shown, exit 1", r)
listing = r.out
tap.equal([line.split()[0] for line in listing.splitlines() if line.startswith("\t")][1:],
          COMMANDS, "the commands are listed in order, hidden ones are not")
for arg in ["help", "-h", "-help", "--help"]:
    success(litestream(arg), listing, "litestream %s" % arg)

for c in COMMANDS + ["wal"]:
    texts = []
    for args in [(c, "-h"), (c, "-help"), (c, "--help"), ("help", c)]:
        r = litestream(*args)
        texts.append(r.out if r.rc == 0 and r.err == "" else repr(r))
    t = texts[0]
    tap.ok(len(set(texts)) == 1 and "\nUsage:\n\n\tlitestream %s" % c in t
           and all(len(line) <= 80 for line in t.replace("\t", " " * 8).splitlines()
                   if "$" not in line),
           "help of %s is the same in all forms, exit 0, and fits the screen" % c, t)

error(litestream("foo"), "litestream foo: unknown command",
      "list the commands with: litestream help")
error(litestream("restroe"), "litestream restroe: unknown command", "did you mean: litestream restore")
error(litestream("mcp"), "litestream mcp: unknown command")
error(litestream("-version"), "flag provided but not defined: -version",
      "did you mean: litestream version")
error(litestream("--bogus"), "flag provided but not defined: --bogus")
error(litestream("help", "foo"), "litestream foo: unknown command")
error(litestream("a\033[31mb\n"), "litestream a\\x1b[31mb\n: unknown command",
      name="what was typed cannot drive the terminal")

r = litestream("version")
lines = r.out.splitlines()
tap.ok(r.rc == 0 and len(lines) == 2 and lines[0].count(".") == 2 and " " not in lines[0],
       "version prints itself alone on the first line", r)
number = tuple(int(x) for x in lines[1].split()[1].split("."))
tap.ok(lines[1].startswith("sqlite ") and (number < (3, 51, 3)) == ("older than 3.51.3" in lines[1]),
       "version names the SQLite and says if it is older than 3.51.3", r)
r = litestream("version", "-verbose")
tap.ok(r.rc == 0 and r.out.splitlines()[:2] == lines and "libuv" in r.out and "stores: file" in r.out,
       "version -verbose names libraries and stores", r)

error(litestream("restore", "-bogus", "x"), "flag provided but not defined: -bogus",
      "all flags: litestream restore -help")
error(litestream("restore", "-integrity-chek", "full", "x"),
      "flag provided but not defined: -integrity-chek",
      "did you mean -integrity-check? all flags: litestream restore -help")
error(litestream("restore", "-o"), "flag needs an argument: -o", "-o PATH")
error(litestream("restore", "---json", "x"), "bad flag syntax: ---json")
error(litestream("restore", "-json=maybe", "x"), "invalid boolean value \"maybe\" for -json: parse error")
error(litestream("restore", "-parallelism", "x", "x"),
      "invalid value \"x\" for flag -parallelism: parse error")
error(litestream("restore", "-txid", "2", "x"),
      "invalid value \"2\" for flag -txid: invalid txid format")
error(litestream("restore", "-txid", "0" * 16, "x"),
      "invalid value \"0000000000000000\" for flag -txid: invalid txid format")
error(litestream("replicate", "-log-level", "debgu"),
      "invalid value \"debgu\" for flag -log-level: unknown level", "did you mean debug?")
error(litestream("ltx", "-level", "10", "x"),
      "invalid value \"10\" for flag -level: level must be between 0 and 9")
error(litestream("ltx", "-level", "-1", "x"),
      "invalid value \"-1\" for flag -level: level must be between 0 and 9")
error(litestream("ltx", "-level", "every", "x"),
      "invalid value \"every\" for flag -level: invalid level: must be 0-9 or \"all\"")
error(litestream("ltx", "-replica", "x", "y"), "flag provided but not defined: -replica")

if os.path.exists("/dev/full"):
    with open("/dev/full", "wb") as full:
        import subprocess
        p = subprocess.run([BIN, "help"], stdout=full, stderr=subprocess.PIPE)
    tap.ok(p.returncode == 1 and p.stderr.startswith(
        b"Error: write standard output: No space left on device\n"),
        "output that cannot be written is an error", p)
else:
    tap.skip("output that cannot be written is an error", "no /dev/full")
tap.done()
