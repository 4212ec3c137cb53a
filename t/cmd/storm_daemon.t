#!/usr/bin/env python3
"""A daemon with many databases in a storm: applications write, control requests come at random, the
configuration is read again with databases in it and out of it, and replicas fail at random.

When all is calm again each database is in the list and restores to what it is. Of a build with
ThreadSanitizer (configure --enable-tsan) the log must not have a word of it.

STORM_SECONDS (CHAOS_SECONDS or 6), STORM_DATABASES (100 from 30 s on, else 16), STORM_SEED
(CHAOS_SEED or 1). engine/store, engine/control
"""

import contextlib
import http.client
import json
import os
import random
import signal
import socket
import sqlite3
import sys
import threading
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
import tap
import daemon

SECONDS = float(os.environ.get("STORM_SECONDS", os.environ.get("CHAOS_SECONDS", "6")))
DATABASES = int(os.environ.get("STORM_DATABASES", "100" if SECONDS >= 30 else "16"))
SEED = os.environ.get("STORM_SEED", os.environ.get("CHAOS_SEED", "1"))

TOP = """
levels: [{interval: 1s}, {interval: 4s}]
snapshot: {interval: 3s, retention: 6s}
l0-retention: 2s
l0-retention-check-interval: 1s
validation: {interval: 3s}
socket: {enabled: true, path: %(dir)s/s}
addr: "127.0.0.1:0"
shutdown-sync-timeout: 30s
dbs:
"""
ENTRY = """  - path: %(dir)s/db/%(name)s.db
    monitor-interval: %(interval)s
    min-checkpoint-page-count: 20
    truncate-page-n: 60
    replica: {path: %(dir)s/replica/%(name)s, sync-interval: %(interval)s}
"""


class Unix(http.client.HTTPConnection):
    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(60)
        self.sock.connect(self.host)


def ask(method, target, body=None):
    c = Unix(folder + "/s")
    try:
        c.request(method, target, json.dumps(body) if body is not None else None)
        r = c.getresponse()
        return r.status, r.read().decode(errors="replace")
    finally:
        c.close()


def db_of(name):
    return "%s/db/%s.db" % (folder, name)


def replica_of(name):
    return "%s/replica/%s" % (folder, name)


def configure(left_out=(), slow=()):
    text = TOP % {"dir": folder}
    for name in names:
        if name not in left_out:
            text += ENTRY % {"dir": folder, "name": name, "interval": "200ms" if name in slow else "50ms"}
    tap.write(folder + "/new.yml", text.encode())
    os.rename(folder + "/new.yml", folder + "/config.yml")


def rows(name, n):
    with contextlib.closing(sqlite3.connect(db_of(name), timeout=60)) as db:
        db.execute("PRAGMA synchronous=off")
        db.execute("PRAGMA journal_mode=wal")
        db.execute("CREATE TABLE IF NOT EXISTS t(id INTEGER PRIMARY KEY, v)")
        db.executemany("INSERT INTO t(v) VALUES(randomblob(?))", [(500,)] * n)
        db.commit()


# ---- what goes on: each of them in a thread of its own, with a number for each thing done ----

class Storm:
    def __init__(self):
        self.until = time.monotonic() + SECONDS
        self.done = {}
        self.failed = []
        self.lock = threading.Lock()

    def count(self, what):
        with self.lock:
            self.done[what] = self.done.get(what, 0) + 1

    def go(self, steps, pause, number):
        rng = random.Random("%s/%s/%d" % (SEED, steps.__name__, number))
        try:
            while time.monotonic() < self.until:
                self.count(steps(rng))
                time.sleep(rng.random() * pause)
        except Exception as e:  # to be told by the test
            self.failed.append("%s: %r" % (steps.__name__, e))

    def run(self):
        threads = [threading.Thread(target=self.go, args=(steps, pause, number))
                   for steps, pause, n in ((write, 0.01, 3), (control, 0.02, 4), (again, 1.0, 1),
                                           (break_store, 0.5, 2), (listen, 0.2, 1))
                   for number in range(n)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()


def write(rng):
    rows(rng.choice(names), rng.choice((1, 1, 5, 60)))
    return "write"


def control(rng):
    name = rng.choice(names)
    path = db_of(name)
    method, target, body = rng.choice((
        ("GET", "/list", None), ("GET", "/status", None), ("GET", "/info", None),
        ("GET", "/txid?path=" + path, None), ("GET", "/metrics", None), ("GET", "/jobs", None),
        ("POST", "/sync", {"path": path, "wait": rng.random() < 0.3, "timeout": 2}),
        ("POST", "/stop", {"path": path, "timeout": 2}), ("POST", "/start", {"path": path}),
        ("POST", "/start", {"path": path}), ("POST", "/snapshot", {"path": path, "timeout": 3}),
        ("POST", "/verify", {"path": path}), ("POST", "/jobs/cancel", {"id": rng.randrange(1, 30)}),
        ("POST", "/restore", {"path": path, "output": "%s/out%d.db" % (folder, rng.randrange(4))}),
        ("POST", "/unregister", {"path": path, "timeout": 2}),
        ("POST", "/register", {"path": path, "replica_url": "file://" + replica_of(name)}),
        ("POST", "/reload", {})))
    status, text = ask(method, target, body)
    if status >= 500 and status not in (500, 503, 504) or not text:
        raise AssertionError("%s %s: %d %s" % (method, target, status, text))
    return target.split("?")[0]


def again(rng):
    """The configuration with some databases left out and some slower."""
    few = max(DATABASES // 10, 1)
    configure(rng.sample(names, few), rng.sample(names, few))
    d.process.send_signal(signal.SIGHUP)
    return "SIGHUP"


def break_store(rng):
    """A file in the place of the replica's folder for a while: nothing there can be read or made."""
    name = rng.choice(names)
    path, aside = replica_of(name), replica_of(name) + ".aside"
    if os.path.isdir(path) and not os.path.exists(aside):
        os.rename(path, aside)
        try:
            fd = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY)
        except FileExistsError:  # the daemon was quicker: what it made is the replica's now
            return "made anew"
        os.close(fd)
        time.sleep(rng.random() / 2)
        os.unlink(path)
        os.rename(aside, path)
    return "broken"


def listen(rng):
    """A client that follows events and leaves."""
    with socket.socket(socket.AF_UNIX) as s:
        s.settimeout(1)
        s.connect(folder + "/s")
        s.sendall(b"GET /events HTTP/1.1\r\nHost: x\r\n\r\n")
        with contextlib.suppress(TimeoutError):  # nothing happens
            for _ in range(rng.randrange(1, 20)):
                s.recv(4096)
    return "/events"


# ---- afterwards ----

def compare(name):
    """"" if the database's replica restores to what it is."""
    def synced():
        answers.append(ask("POST", "/sync", {"path": db_of(name), "wait": True, "timeout": 20}))
        return answers[-1][0] == 200
    answers, out = [], folder + "/restored.db"
    if not tap.wait_for(synced, 60):
        return "%s: %s" % (name, answers[-1])
    r = daemon.restore(replica_of(name), out)
    if r.returncode != 0:
        return "%s: %s" % (name, r.stderr.decode())
    return daemon.compare(db_of(name), out)


def calm():
    """All databases are there and replicate again."""
    configure()
    d.process.send_signal(signal.SIGHUP)
    for name in names:
        for target, body in (("/register", {"replica_url": "file://" + replica_of(name)}), ("/start", {})):
            ask("POST", target, dict(body, path=db_of(name)))
    there = {x["path"] for x in json.loads(ask("GET", "/list")[1])["databases"]}
    return there == {db_of(name) for name in names}


daemon.need()
folder = os.path.realpath(tap.scratch())
names = ["d%03d" % i for i in range(DATABASES)]
os.mkdir(folder + "/db")
for each in names:
    rows(each, 3)
configure()
print("# seed %s, %g s, %d databases" % (SEED, SECONDS, DATABASES), flush=True)
d = daemon.Daemon(folder + "/config.yml", folder + "/log")
d.start(TSAN_OPTIONS="halt_on_error=0 exitcode=66 second_deadlock_stack=1")
tap.ok(tap.wait_for(lambda: os.path.exists(folder + "/s"), 60), "the daemon has a socket")
storm = Storm()
storm.run()
print("# %s" % ", ".join("%s %d" % item for item in sorted(storm.done.items())), flush=True)
tap.ok(d.running(), "the daemon runs", d.text()[-2000:])
tap.ok(not storm.failed, "each request was answered", "\n".join(storm.failed))
tap.ok(tap.wait_for(calm, 60), "the daemon has all databases")
bad = [text for text in (compare(each) for each in names) if text]
tap.ok(not bad, "each of them restores to what it is", "\n".join(bad))
tap.equal(d.stop(120), 0, "it ends well")
races = d.lines("ThreadSanitizer") + d.lines("Sanitizer:")
tap.ok(not races, "no sanitizer has anything to say", d.text()[d.text().find("WARNING: ThreadSan"):][:6000])
if os.environ.get("STORM_LOG"):
    tap.write(os.environ["STORM_LOG"], d.text().encode())
tap.done()
