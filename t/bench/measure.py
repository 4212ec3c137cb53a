"""What the bench measures with: children with their processor time, a daemon that is watched,
databases, files."""
import contextlib
import os
import random
import shutil
import signal
import sqlite3
import statistics
import subprocess
import sys
import threading
import time

TICK_MS = 1000 / os.sysconf("SC_CLK_TCK")


class Cost:
    """Seconds on the clock and of the processor (user and system)."""

    def __init__(self, wall=0.0, cpu=0.0):
        self.wall, self.cpu = wall, cpu

    def __add__(self, other):
        return Cost(self.wall + other.wall, self.cpu + other.cpu)


def run(*argv, peak=None):
    """Runs a child to its end; peak gets its memory."""
    start = time.monotonic()
    p = subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    with peak.watching(p.pid) if peak is not None else contextlib.nullcontext():
        text = p.stderr.read().decode(errors="replace")
        p.stderr.close()
        _, status, used = os.wait4(p.pid, 0)
    wall = time.monotonic() - start
    p.returncode = os.waitstatus_to_exitcode(status)
    if p.returncode != 0:
        sys.exit("%s: %s" % (" ".join(argv), text))
    return Cost(wall, used.ru_utime + used.ru_stime)


def ourselves(work):
    """The cost of what this process does itself."""
    wall, before = time.monotonic(), os.times()
    work()
    after = os.times()
    return Cost(time.monotonic() - wall,
                after.user + after.system - before.user - before.system)


def sync(path):
    fd = os.open(path, os.O_RDONLY)
    os.fsync(fd)
    os.close(fd)


def fsync_ms(folder):
    """How long a small write takes until it is durable, here and now."""
    path = os.path.join(folder, "fsync")
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    times = []
    for _ in range(20):
        start = time.monotonic()
        os.write(fd, b"x" * 4096)
        os.fsync(fd)
        times.append(time.monotonic() - start)
    os.close(fd)
    os.unlink(path)
    return statistics.median(times) * 1e3


def remove(*paths):
    for path in paths:
        if os.path.isdir(path):
            shutil.rmtree(path)
        elif os.path.exists(path):
            os.unlink(path)


def make_db(path, mb):
    """A database of about mb megabytes: half text, half random bytes, as page contents are
    neither."""
    rnd = random.Random(1)
    words = ["w%06x" % rnd.getrandbits(24) for _ in range(4096)]
    c = sqlite3.connect(path)
    c.execute("pragma synchronous = off")
    c.execute("create table t(id integer primary key, k text, v blob)")
    c.executemany("insert into t(k, v) values(?, ?)",
                  ((" ".join(rnd.choices(words, k=60)), rnd.randbytes(500))
                   for _ in range(mb * (1 << 20) // 1060)))
    c.commit()
    c.execute("pragma journal_mode = wal")
    c.close()


def objects(replica):
    """Names of the files on a replica."""
    return {f for _, _, files in os.walk(replica) for f in files if f.endswith(".ltx")}


def bytes_of(folder):
    return sum(os.path.getsize(os.path.join(at, f)) for at, _, files in os.walk(folder)
               for f in files)


def anonymous_kb(pid):
    """Memory that is the process's own and no file's; 0 when it has ended."""
    try:
        with open("/proc/%d/status" % pid) as f:
            return next((int(line.split()[1]) for line in f if line.startswith("RssAnon:")), 0)
    except (FileNotFoundError, ProcessLookupError):
        return 0


class Peak:
    """The most anonymous memory that a process had, looked at each 2 ms."""

    def __init__(self):
        self.mb = 0.0

    def _look(self, pid, done):
        while not done.wait(0.002):
            self.mb = max(self.mb, anonymous_kb(pid) / 1024)

    @contextlib.contextmanager
    def watching(self, pid):
        done = threading.Event()
        looker = threading.Thread(target=self._look, args=(pid, done))
        looker.start()
        try:
            yield
        finally:
            done.set()
            looker.join()


class Daemon:
    """litestream replicate of databases with the settings that it has by itself."""

    def __init__(self, binary, folder, dbs, extra="", top="", place="{url: 'file://%s'}"):
        config = os.path.join(folder, "litestream.yml")
        with open(config, "w") as f:
            f.write("logging: {level: error}\n%sdbs:\n" % top)
            for db, replica in dbs:
                f.write("  - path: %s\n%s    replica: %s\n" % (db, extra, place % replica))
        self.replicas = [replica for _, replica in dbs]
        self.p = subprocess.Popen((binary, "replicate", "-config", config),
                                  stdout=subprocess.DEVNULL)
        self.settle()

    def settle(self, quiet=2.5):
        """Until something is on each replica and nothing came for a while."""
        seen, since = None, time.monotonic()
        while seen is None or not all(seen) or time.monotonic() - since < quiet:
            if self.p.poll() is not None:
                sys.exit("litestream ended with %d" % self.p.returncode)
            now = [(len(objects(r)), bytes_of(r)) if os.path.isdir(r) else () for r in self.replicas]
            if now != seen:
                seen, since = now, time.monotonic()
            time.sleep(0.02)

    def cpu_ms(self):
        """Processor time so far. The system's clock of another process: ticks would be too coarse."""
        return time.clock_gettime((~self.p.pid << 3) | 2) * 1e3

    def stop(self):
        self.p.send_signal(signal.SIGTERM)
        self.p.wait(60)


def percentile(values, share):
    values = sorted(values)
    return values[min(len(values) - 1, int(len(values) * share))]
