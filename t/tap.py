"""TAP for test scripts in Python, and what they all need.

A script begins with
    import os, sys
    sys.dont_write_bytecode = True
    sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
    import tap
and may also be run by hand in the build folder.
"""

import atexit
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time

SRC = os.environ.get("LS_SRC", os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
BUILD = os.environ.get("LS_BUILD", os.getcwd())
VECTORS = os.environ.get("LS_VECTORS", os.path.join(SRC, "t", "vectors"))
CI = os.environ.get("CI") == "true"

_lock = threading.Lock()
_count = 0
_failed = 0


def _note(text):
    for line in str(text).splitlines():
        print("# " + line, flush=True)


def ok(good, name, detail=""):
    """One test. The detail is shown if it failed. May be called from several threads."""
    global _count, _failed
    with _lock:
        _count += 1
        print("%s %d - %s" % ("ok" if good else "not ok", _count, name.replace("#", "\\#")),
              flush=True)
        if not good:
            _failed += 1
            if detail != "":
                _note(detail)
    return bool(good)


def equal(got, want, name):
    if got == want:
        return ok(True, name)
    return ok(False, name, "got:  %s\nwant: %s" % (repr(got)[:2000], repr(want)[:2000]))


def skip(name, reason):
    """Counts one test as skipped; where continuous integration runs, as failed."""
    if CI:
        return ok(False, name, "not skipped, as CI is set: " + reason)
    return skip_allowed(name, reason)


def skip_allowed(name, reason):
    """Counts one test as skipped, wherever it runs."""
    global _count
    _count += 1
    print("ok %d - %s # SKIP %s" % (_count, name, reason), flush=True)
    return True


def skip_all(reason):
    """Ends the script; in continuous integration with a failure."""
    if not CI:
        print("1..0 # SKIP " + reason, flush=True)
        sys.exit(0)
    ok(False, reason)
    done()


def done(expected=None):
    """The plan, and the end of the script. With expected, another number of tests is a failure."""
    if expected is not None and expected != _count:
        _note("planned %d tests, ran %d" % (expected, _count))
    print("1..%d" % (_count if expected is None else expected), flush=True)
    sys.exit(1 if _failed or (expected is not None and expected != _count) else 0)


def scratch():
    """A new folder that is removed at the end."""
    path = tempfile.mkdtemp(prefix="ls-test-")
    atexit.register(shutil.rmtree, path, True)
    return path


def run(*argv, **kw):
    """Runs a program to its end: rc, and stdout and stderr as bytes."""
    kw.setdefault("timeout", 120)
    kw.setdefault("stdin", subprocess.DEVNULL if "input" not in kw else None)
    if kw["stdin"] is None:
        del kw["stdin"]
    return subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **kw)


def wait_for(condition, seconds=10):
    """Until the condition holds; False if it did not in time."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.005)
    return True


def sha256(path):
    with open(path, "rb") as f:
        return hashlib.sha256(f.read()).hexdigest()


def read(path):
    with open(path, "rb") as f:
        return f.read()


def write(path, data):
    with open(path, "wb") as f:
        f.write(data)


def vector(path):
    """A file of the test data."""
    return os.path.join(VECTORS, path)


def vector_json(name):
    with open(vector(name)) as f:
        return json.load(f)
