#!/usr/bin/env python3
"""The conformance suite of stores over real servers, directly and through a proxy with faults.

usage: stores.t [NAME...]    of t/servers, by default all

Each server is started here, on this machine, and asked what stores it gives (t/servers/servers.py);
t/backends/conform runs the suite over each. The end is a table of cases by stores.
"""

import os
import re
import sys

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, ".."), os.path.join(HERE, "..", "servers")]
import tap
import proxies
import servers
from proxies import Fault

CONFORM = os.path.join(tap.BUILD, "t", "backends", "conform")
GOOD = ["%016x-%016x.ltx" % (n, n) for n in (1, 3)]
BAD = ["0000000000000002-0000000000000002.ltx.tmp", "0000000000000002-0000000000000002", "2-2.ltx",
       "000000000000000g-0000000000000002.ltx", "0000000000000002-0000000000000002.LTX", "zz",
       "0000000000000002_0000000000000002.ltx", "inner/0000000000000002-0000000000000002.ltx"]
OBJECTS = {"generations/0123456789abcdef/snapshots/00000000.snapshot.lz4": b"a snapshot",
           "generations/0123456789abcdef/wal/00000000_00000000.wal.lz4": b"a part of a log",
           "generations2/0123456789abcdef/snapshots/00000000.snapshot.lz4": b"of another folder"}

HTTP_FAULTS = {
    "503 now and then": lambda: [Fault("status", every=3)],
    "500 and 429 with Retry-After": lambda: [Fault("status", every=5, status=500),
                                             Fault("status", every=7, status=429, retry_after=1)],
    "connections refused": lambda: [Fault("refuse", every=4)],
    "requests cut in half": lambda: [Fault("request", every=3, methods=("PUT", "POST"), least=500)],
    "answers that never come": lambda: [Fault("lost", every=5)],
    "answers cut": lambda: [Fault("answer", every=3, methods=("GET",), after=150)],
    "delays": lambda: [Fault("delay", every=6, seconds=0.3)],
    # Not of parts of a resumable upload (Google): that fails as a whole.
    "uploads with a byte that is another one": lambda: [
        Fault("corrupt", every=3, to_server=True, methods=("PUT", "POST"), path=r"\.ltx|/upload/",
              least=500)],
}
BYTE_FAULTS = {
    "connections refused": lambda: [Fault("refuse", times=3)],
    "answers cut": lambda: [Fault("drop", after=150000, times=3)],
    "requests cut in half": lambda: [Fault("drop", after=200000, to_server=True, times=3)],
    "delays": lambda: [Fault("delay", seconds=0.3)],
}
SSH_FAULTS = {
    "bytes that are others": lambda: [Fault("flip", after=200000, times=2),
                                      Fault("flip", after=250000, to_server=True, times=3)],
}

table = {}  # store: {case: how it went}


def note_case(store, case, good, skipped=False):
    table.setdefault(store.label, {})[case] = "-" if skipped else "ok" if good else "FAILED"


def level_folder(store, path):
    """Where level 0 lies below a path."""
    return path + "/0000" if store.type in ("s3", "oss") else path + "/ltx/0"


def prepare(server, store, path):
    """What the tests of names find below a path; False where the server has no way to put it there."""
    try:
        for name in GOOD + BAD:
            server.put_raw("%s/%s" % (level_folder(store, path), name), b"x" * 200)
        for neighbour in (path + "x", path + "/x"):
            server.put_raw("%s/%s" % (level_folder(store, neighbour), "%016x-%016x.ltx" % (2, 2)), b"x")
        for key, data in OBJECTS.items():
            server.put_raw(path + "/" + key, data)
    except NotImplementedError:
        return False
    return True


def conform(server, store, *words):
    """Runs the program: its output as text, and whether it ended well."""
    argv = [CONFORM, *[w for w in store.able if "=" not in w or w.split("=")[0] not in
                       [x.split("=")[0] for x in words]], *words, "--", store.type]
    argv += ["%s=%s" % pair for pair in store.settings.items()]
    r = tap.run(*argv, env=dict(os.environ, CMOCKA_MESSAGE_OUTPUT="TAP", **store.env),
                cwd=server.dir, timeout=900)
    return r.stdout.decode(errors="replace"), r.stderr.decode(errors="replace"), r.returncode


def suite(server, store, root):
    words = ["root=" + root]
    if prepare(server, store, root + "/foreign"):
        words.append("foreign=" + root + "/foreign")
    out, err, rc = conform(server, store, *words)
    cases = re.findall(r"(?m)^(ok|not ok) \d+ - (\w+)$", out)
    skipped = re.findall(r"(?m)^(?:not )?ok \d+ # SKIP (\w+)$", out)
    for how, case in cases:
        tap.ok(how == "ok", "[%s] %s" % (store.label, case), out + err)
        note_case(store, case, how == "ok")
    for case in skipped:
        note_case(store, case, True, skipped=True)
    tap.ok(rc == 0 and len(cases) + len(skipped) > 25, "[%s] the suite ends well" % store.label,
           "status %d\n%s%s" % (rc, out, err))
    shown = [s for s in store.secrets if s in out + err]
    tap.equal(shown, [], "[%s] no secret is shown" % store.label)
    tap.equal(server.leftovers(), [], "[%s] nothing is left of transfers" % store.label)


def through_faults(server, store, root):
    proxy = proxies.Proxy(server.address, http=store.http, rewrite_host=store.rewrite_host)
    store = store.through(server, proxy.address)
    cases = dict(HTTP_FAULTS if store.http else BYTE_FAULTS)
    if store.type == "sftp":
        cases.update(SSH_FAULTS)
    for n, (case, faults) in enumerate(cases.items()):
        proxy.set(*faults())
        out, err, rc = conform(server, store, "faults", "root=%s/faults%d" % (root, n),
                               "big=%d" % store.fault_bytes)
        good = tap.ok(rc == 0 and proxy.hits() > 0, "[%s] %s" % (store.label, case),
                      "status %d, %d faults of %d\n%s%s" % (rc, proxy.hits(), proxy.requests, out,
                                                           err))
        note_case(store, case, good)
    proxy.close()


def left_out(name, why):
    """Something is not there: a failure where it must be, else a test that is skipped."""
    if servers.must_be_there(name):
        tap.ok(False, name + " is there", why)
    else:
        tap.skip_allowed(name, why)


def is_built(type_):
    return tap.run(CONFORM, "--", type_).returncode != 77


def of_server(name):
    why = servers.missing(name)
    if why is not None:
        return left_out(name, why)
    server = servers.kind(name)().start()
    for n, store in enumerate(server.stores()):
        root = "suite%d" % n  # servers give several stores in one place
        if is_built(store.type):
            suite(server, store, root)
            if store.network:
                through_faults(server, store, root)
        else:
            left_out("store " + store.type, "not part of this build")
    return server.stop()


def print_table():
    labels = list(table)
    cases = list(dict.fromkeys(case for label in labels for case in table[label]))
    width = max([len(c) for c in cases] + [0])
    for i, label in enumerate(labels):
        print("# %s = %s" % (chr(ord("A") + i), label))
    print("# %s %s" % (" " * width, " ".join("%-6s" % chr(ord("A") + i) for i in range(len(labels)))))
    for case in cases:
        print("# %-*s %s" % (width, case, " ".join(
            "%-6s" % table[label].get(case, "") for label in labels)))


def main(names):
    for name in names or servers.kinds():
        of_server(name)
    print_table()
    tap.done()


main(sys.argv[1:])
