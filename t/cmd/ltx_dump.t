#!/usr/bin/env python3
"""ltx dump: its forms against the recorded contents, single pages, and streams."""
import json
import os
import shutil
import signal
import struct
import subprocess
import sys
import threading

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
import tap

LTX = os.path.join(tap.BUILD, "ltx")


def check_forms():
    """JSON and TSV of every sound file say what the manifest says."""
    files = [f for f in tap.vector_json("manifest.json")["files"]
             if f["strict_verdict"] == "valid" and len(f["pages"]) <= 100]
    bad = []
    for f in files:
        path = tap.vector(f["file"])
        got = tap.run(LTX, "dump", "-json", path)
        lines = [json.loads(line) for line in got.stdout.splitlines()]
        header, pages, trailer = lines[0], lines[1:-1], lines[-1]
        h = f["header"]
        same = (header["type"] == "header" and trailer["type"] == "trailer" and
                [header[k] for k in ("flags", "page_size", "commit", "min_txid", "max_txid",
                                     "timestamp_ms", "wal_offset", "wal_size", "node_id")] ==
                [h[k] for k in ("flags", "page_size", "commit", "min_txid", "max_txid",
                                "timestamp_ms", "wal_offset", "wal_size", "node_id")] and
                header["pre_apply"] == h["pre_apply_checksum"] and
                trailer["file_checksum"] == f["trailer"]["file_checksum"] and
                trailer["post_apply"] == f["trailer"]["post_apply_checksum"])
        want = [(i, p["pgno"], p["flags"], p["page_checksum"], x["offset"], x["size"])
                for i, (p, x) in enumerate(zip(f["pages"], f["page_index"]))]
        ours = [(p["frame"], p["pgno"], p["flags"], p["checksum"], p["offset"], p["size"])
                for p in pages]
        rows = [line.split("\t") for line in
                tap.run(LTX, "dump", "-tsv", path).stdout.decode().splitlines()]
        flat = [(int(r[1]), int(r[2]), int(r[3], 16), r[6], int(r[4]), int(r[5]))
                for r in rows[1:]]
        if not same or ours != want or flat != want or got.returncode != 0:
            bad.append(f["file"])
    tap.ok(len(files) > 100, "there are sound files to look at: %d" % len(files))
    tap.equal(bad, [], "-json and -tsv of all of them agree with the manifest")


def check_hex():
    path = tap.vector("ltx/inc-ps4096.v051.ltx")
    pages = [json.loads(line) for line in
             tap.run(LTX, "dump", "-json", "-hex", path).stdout.splitlines()][1:-1]
    wrong = []
    for p in pages:
        got = tap.run(LTX, "dump", "-page", str(p["pgno"]), "-raw", path).stdout
        if got.hex() != p["data"] or len(got) != 4096:
            wrong.append(p["pgno"])
    tap.equal(wrong, [], "-json -hex and -raw give the same bytes")
    one = tap.run(LTX, "dump", "-page", str(pages[1]["pgno"]), path).stdout.decode()
    tap.equal([line.split()[2] for line in one.splitlines() if line.startswith("Frame")],
              ["pgno=%d" % pages[1]["pgno"]], "-page alone shows that page alone")
    tap.ok("# TRAILER" in one, "... and reads the file to its end")


def check_raw():
    """Each page of a snapshot, from file and stream, is the page of the database."""
    for ps, size in (("512", 512), ("4096", 4096)):
        db = tap.read(tap.vector("db/chain-ps%s-step0.db" % ps))
        for version in ("v051", "v052"):
            path = tap.vector("ltx/chain-ps%s-tx1.%s.ltx" % (ps, version))
            n = len(db) // size
            got = b"".join(tap.run(LTX, "dump", "-page", str(i + 1), "-raw", path).stdout
                           for i in range(n))
            tap.ok(got == db, "the %d pages of %s are those of the database" % (n, path[-26:]))
            got = b"".join(tap.run("sh", "-c", 'cat "$1" | "$2" dump -page %d -raw -' % (i + 1),
                                   "sh", path, LTX).stdout for i in range(n))
            tap.ok(got == db, "... also through a pipe")
    none = tap.run(LTX, "dump", "-page", "99", "-raw", path)
    tap.ok(none.returncode == 1 and none.stdout == b"" and b"99" in none.stderr,
           "a page that is not there is an error", none)
    none = tap.run(LTX, "dump", "-page", "99", path)
    tap.ok(none.returncode == 1 and b"page 99 is not in this file" in none.stderr,
           "... also without -raw", none)
    for args in (["-raw"], ["-page", "0"], ["-page", "4294967296"]):
        r = tap.run(LTX, "dump", *args, path)
        tap.ok(r.returncode == 1 and r.stdout == b"" and r.stderr.startswith(b"Error: -"),
               "refused: " + " ".join(args), r)
    bad = tap.read(path)
    r = tap.run(LTX, "dump", "-page", "1", "-raw", "-", input=bad[:-1] + b"?")
    tap.ok(r.returncode == 1 and r.stdout == b"", "a stream that is bad gives no page", r)


def frames():
    """An endless LTX file: page after page of one content, from page 1 on."""
    src = tap.read(tap.vector("ltx/snap-ps4096.v051.ltx"))
    doc = [f for f in tap.vector_json("manifest.json")["files"]
           if f["file"] == "ltx/snap-ps4096.v051.ltx"][0]
    at = doc["page_index"][0]
    frame = src[at["offset"] + 6:at["offset"] + at["size"]]
    yield src[:12] + struct.pack(">I", 200000) + src[16:100]
    for pgno in range(1, 200001):
        yield struct.pack(">IH", pgno, 0) + frame


class Feeder(threading.Thread):
    """Writes at most limit bytes of frames() to a descriptor and counts what was taken."""

    def __init__(self, fd, limit=100 << 20):
        super().__init__(daemon=True)
        self.fd, self.limit, self.taken, self.broken = fd, limit, 0, False

    def run(self):
        try:
            for data in frames():
                while data and self.taken < self.limit:
                    n = os.write(self.fd, data)
                    self.taken += n
                    data = data[n:]
        except BrokenPipeError:
            self.broken = True
        os.close(self.fd)


def stream(command, ignore_sigpipe=False):
    """Runs a shell command on an endless stream; returns the result and the feeder."""
    r, w = os.pipe()
    feeder = Feeder(w)
    p = subprocess.Popen(["bash", "-c", "set -o pipefail; " + command], stdin=r,
                         stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                         env=dict(os.environ, LTX=LTX), restore_signals=not ignore_sigpipe)
    os.close(r)
    feeder.start()
    out, err = p.communicate(timeout=60)
    feeder.join(60)
    return p.returncode, out, err, feeder


def check_stream():
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    some = 4 << 20
    for name, command, n in (
            ("| head", '"$LTX" dump - | head -3', 3),
            ("-hex | head", '"$LTX" dump -hex - | head -40', 40),
            ("| grep -m", '"$LTX" dump - | grep -m 5 pgno=', 5),
            ("-tsv | head", '"$LTX" dump -tsv - | head -7', 7),
            ("-json | head", '"$LTX" dump -json - | head -2', 2)):
        rc, out, err, feeder = stream(command)
        tap.ok(len(out.splitlines()) == n and err == b"" and feeder.broken and
               feeder.taken < some, "%s ends at once and quietly" % name,
               "rc %d, %d bytes taken, stderr %r" % (rc, feeder.taken, err))
        tap.equal(rc, 128 + signal.SIGPIPE, "... by SIGPIPE")
    rc, out, err, feeder = stream('"$LTX" dump - | head -3', ignore_sigpipe=True)
    tap.ok(rc == 141 and err == b"" and feeder.taken < some,
           "... also where the parent ignores SIGPIPE", "%d %r %d" % (rc, err, feeder.taken))
    if shutil.which("jq"):
        rc, out, err, feeder = stream('"$LTX" dump -json - | jq -n "[limit(3; inputs | .type)]" -c')
        tap.ok(out == b'["header","page","page"]\n' and feeder.taken < some,
               "jq reads the lines as they come", "%d %r %r" % (rc, out, err))
    else:
        tap.skip("jq reads the lines as they come", "no jq")


def check_pipe_waits():
    """What came so far is shown although the writer is not done."""
    p = subprocess.Popen([LTX, "dump", "-"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                         stderr=subprocess.PIPE)
    source = frames()
    for _ in range(3):
        p.stdin.write(next(source))
    p.stdin.flush()
    killer = threading.Timer(20, p.kill)
    killer.start()
    lines = []
    while len(lines) < 16:
        line = p.stdout.readline()
        if not line:
            break
        lines.append(line)
    killer.cancel()
    tap.ok(len(lines) == 16 and lines[15].startswith(b"Frame #1: pgno=2 "),
           "pages are shown while the pipe is still open", lines)
    p.stdin.close()
    err = p.stderr.read()
    p.wait(20)
    tap.ok(p.returncode == 1 and b"cannot close, expected page" in err,
           "the stream that stops there is an error", err)


def check_fifo():
    """A named pipe is a file like any other, though nothing can seek in it."""
    d = tap.scratch()
    fifo = os.path.join(d, "f.ltx")
    os.mkfifo(fifo)
    src = tap.vector("ltx/snap-ps512.v052.ltx")
    feeder = threading.Thread(target=lambda: tap.write(fifo, tap.read(src)), daemon=True)
    feeder.start()
    got = tap.run(LTX, "dump", fifo)
    tap.ok(got.returncode == 0 and got.stdout == tap.run(LTX, "dump", src).stdout,
           "dump of a named pipe", got.stderr)


def check_several():
    a, b = tap.vector("ltx/snap-ps512.v051.ltx"), tap.vector("corrupt/trunc-in-payload.v051.ltx")
    r = tap.run(LTX, "dump", a, b, a)
    text = r.stdout.decode()
    tap.equal([line for line in text.splitlines() if line.startswith("# FILE ")],
              ["# FILE " + p for p in (a, b, a)], "several files are introduced by name")
    tap.ok(r.returncode == 1 and r.stderr.decode() == b + ": decode page 1: unexpected EOF\n" and
           text.count("# TRAILER") == 2, "a bad one stops none of the others", r.stderr)


check_forms()
check_hex()
check_raw()
check_stream()
check_pipe_waits()
check_fifo()
check_several()
tap.done(36)
