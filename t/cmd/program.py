"""Running litestream in tests: results as text, configurations, replicas from the test data."""

import json
import os
import shutil

import tap

BIN = os.path.join(tap.BUILD, "litestream")


class Result:
    """What a run came to, as text."""

    def __init__(self, p):
        self.rc = p.returncode
        self.out = p.stdout.decode("utf-8", "replace")
        self.err = p.stderr.decode("utf-8", "replace")

    def __repr__(self):
        return "rc=%d\nstdout:\n%s\nstderr:\n%s" % (self.rc, self.out, self.err)


def litestream(*args, env=None, **kw):
    """Runs it without the caller's settings."""
    e = {k: v for k, v in os.environ.items() if not k.startswith(("LITESTREAM_", "LOG_LEVEL"))}
    e.update(env or {})
    return Result(tap.run(BIN, *args, env=e, **kw))


def left_out():
    """Types of stores that the build lacks."""
    line = [l for l in litestream("version", "-verbose").out.splitlines()
            if l.startswith("stores:")][0]
    return [t for t in ("s3", "gs", "abs", "oss", "sftp", "nats", "webdav") if t not in line.split()]


def error(r, msg, hint=None, name=None):
    """The run failed with this message (whole first line) and hint, and printed nothing else."""
    want = "Error: %s\n" % msg
    good = r.rc == 1 and r.err.startswith(want)
    rest = r.err[len(want):]
    good = good and (rest.startswith("hint: ") and rest.count("\n") == 1 if hint is None
                     else rest == ("hint: %s\n" % hint if hint else ""))
    return tap.ok(good, name or msg, "%r\nwant: %s\nhint: %s" % (r, msg, hint))


def success(r, out, name):
    """The run succeeded and printed exactly this."""
    return tap.ok(r.rc == 0 and r.out == out and r.err == "", name,
                  "%r\nwant:\n%s" % (r, out))


def config(folder, text, name="litestream.yml"):
    path = os.path.join(folder, name)
    tap.write(path, text.encode())
    return path


def replica(folder, name="replica-a"):
    """A copy of a replica of the test data with its files' times; and what is expected of it."""
    expected = tap.vector_json(os.path.join(name, "expected.json"))
    target = os.path.join(folder, name)
    shutil.copytree(tap.vector(os.path.join(name, "replica")), target)
    for f in expected["files"]:
        path = os.path.join(target, os.path.relpath(f["path"], "replica")
                            if f["path"].startswith("replica/") else f["path"])
        os.utime(path, ns=(f["mtime_ns"], f["mtime_ns"]))
    return target, expected


def as_json(r):
    return json.loads(r.out)
