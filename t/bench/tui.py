#!/usr/bin/env python3
"""How fast litestream-tui is on a terminal with 100,000 files, and what it costs: figures, no test.

usage: tui.py -bin FOLDER [-files N]"""

import argparse
import os
import pty
import select
import shutil
import struct
import subprocess
import sys
import tempfile
import time
import fcntl
import termios


def listing(folder, n):
    """Empty files: of a listing only names count."""
    for level, each in ((0, 1), (1, 10), (2, 100)):
        path = os.path.join(folder, "ltx", str(level))
        os.makedirs(path)
        for i in range(each, n + 1, each):
            name = "%016x-%016x.ltx" % (i + 1 - each, i)
            os.close(os.open(os.path.join(path, name), os.O_CREAT | os.O_WRONLY))


class Screen:
    """The program on a terminal of 200x50; what it writes is only counted and searched."""

    def __init__(self, *argv):
        self.ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 50, 200, 0, 0))
        env = dict(os.environ, TERM="xterm-256color", LC_ALL="C.UTF-8")
        self.started = time.monotonic()
        self.p = subprocess.Popen(argv, stdin=theirs, stdout=theirs, stderr=theirs, env=env,
                                  start_new_session=True)
        os.close(theirs)
        self.seen = b""

    def until(self, text, seconds=60):
        end = time.monotonic() + seconds
        while text not in self.seen and time.monotonic() < end:
            if select.select([self.ours], [], [], 1)[0]:
                self.seen += os.read(self.ours, 1 << 16)
        return time.monotonic() - self.started

    def key(self, key):
        """From a key to the first bytes that it makes."""
        while select.select([self.ours], [], [], 0.05)[0]:
            os.read(self.ours, 1 << 16)
        start = time.monotonic()
        os.write(self.ours, key)
        select.select([self.ours], [], [], 5)
        took = time.monotonic() - start
        return took, len(os.read(self.ours, 1 << 16))

    def ticks(self):
        with open("/proc/%d/stat" % self.p.pid) as f:
            fields = f.read().rsplit(")", 1)[1].split()
        return int(fields[11]) + int(fields[12])

    def rss(self):
        with open("/proc/%d/status" % self.p.pid) as f:
            return next(int(line.split()[1]) for line in f if line.startswith("VmRSS"))

    def close(self):
        self.p.terminate()
        self.p.wait()
        os.close(self.ours)


def measure(tui, folder, n):
    screen = Screen(tui, folder)
    print("%d files on a terminal of 200x50: listed and shown after %.0f ms"
          % (n, 1000 * screen.until(b"restorable")))
    screen.key(b"3")
    took = sorted((screen.key(key) for _ in range(40)
                   for key in (b"j", b"\x06", b"G", b"g", b"\x06")))
    print("  key to first byte: p50 %.1f ms, p99 %.1f ms, max %.1f ms; %d bytes for a row down"
          % (1000 * took[len(took) // 2][0], 1000 * took[len(took) * 99 // 100][0],
             1000 * took[-1][0], screen.key(b"j")[1]))
    time.sleep(61)  # until the age of the listing is told in minutes
    start = screen.ticks()
    time.sleep(10)
    print("  idle for 10 s: %d ms of processor time; resident %.1f MB"
          % (10 * (screen.ticks() - start), screen.rss() / 1024))
    screen.close()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("-bin", required=True)
    parser.add_argument("-files", type=int, default=100000)
    args = parser.parse_args()
    work = tempfile.mkdtemp(prefix="ls-bench-")
    os.environ["XDG_STATE_HOME"] = work
    try:
        empty = os.path.join(work, "empty")
        os.mkdir(empty)
        subprocess.run([os.path.join(args.bin, "t", "bench", "tui_bench"), str(args.files), empty],
                       check=True)
        many = os.path.join(work, "many")
        listing(many, args.files)
        sys.stdout.flush()
        measure(os.path.join(args.bin, "litestream-tui"), many, args.files)
    finally:
        shutil.rmtree(work)


main()
