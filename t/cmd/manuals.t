#!/usr/bin/env python3
"""Manual pages and completions that the build makes from the tables."""

import os
import re
import shutil
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
import tap

PAGES = ["litestream.1", "litestream-tui.1", "ltx.1", "litestream.yml.5"]


def built(name):
    return os.path.join(tap.BUILD, "doc", name)


for page in PAGES:
    if not shutil.which("mandoc"):
        tap.skip(page + " has no flaws", "no mandoc")
        continue
    r = tap.run("mandoc", "-T", "lint", built(page))
    # What is installed on this machine is not the page's matter.
    notes = [line for line in (r.stdout + r.stderr).decode().splitlines()
             if "referenced manual not found" not in line and "mandoc.db" not in line]
    tap.ok(notes == [], page + " has no flaws", "\n".join(notes))

man = tap.read(built("litestream.1")).decode()
r = tap.run(os.path.join(tap.BUILD, "litestream"), "restore", "-help")
flags = re.findall(r"^\t-([a-z-]+)", r.stdout.decode(), re.M)
tap.ok(len(flags) > 10 and all(re.search(r"^\.It Fl %s\b" % f, man, re.M) for f in flags),
       "the manual has every option of restore", flags)
tui = tap.read(built("litestream-tui.1")).decode()
tap.ok(tui.count(".It Ic ") > 40 and all(".It Fl " + f in tui for f in ["once", "size", "keys"]),
       "the manual of the inspector has keys and options", tui[:500])
yml = tap.read(built("litestream.yml.5")).decode()
tap.ok(all(".It Cm %s " % k in yml for k in
           ["dbs", "path", "sync-interval", "secret-access-key", "l0-retention", "webdav-url"]),
       "the manual of the configuration has keys of every section")
for shell, name in [("bash", "bash/litestream"), ("bash", "bash/ltx"), ("zsh", "zsh/_litestream"),
                    ("zsh", "zsh/_ltx"), ("fish", "fish/litestream.fish"), ("fish", "fish/ltx.fish")]:
    if not shutil.which(shell):
        tap.ok(b"litestream" in tap.read(built(name)) or b"ltx" in tap.read(built(name)),
               name + " is there (no %s to read it)" % shell)
        continue
    r = tap.run(shell, "-n", built(name))
    tap.ok(r.returncode == 0 and r.stderr == b"", "%s reads %s" % (shell, name), r)


def complete(*words):
    """What bash offers for the last word."""
    script = ('source "$0"; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _litestream; '
              'printf "%s\\n" "${COMPREPLY[@]}"')
    r = tap.run("bash", "-c", script, built("bash/litestream"), "litestream", *words)
    return r.stdout.decode().split()


tap.equal(complete("re"), ["register", "replicate", "reset", "restore", "restore-points"], "bash completes commands")
tap.equal(complete("restore", "-t"), ["-txid", "-timestamp"], "bash completes options")
tap.equal(complete("sync", "-w"), ["-wait"], "bash completes options of sync")
tap.done()
