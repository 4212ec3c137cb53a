#!/usr/bin/env python3
"""etc/grafana.json: every metric and label that it asks for is one that a daemon serves, each by the
functions that fit its type, and nobody would have to look for a panel in vain. engine/control/metrics.c"""

import json
import os
import re
import socket
import sys
import urllib.request

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
import atexit
import tap
import daemon

daemon.need()
board = json.loads(tap.read(os.path.join(tap.SRC, "etc", "grafana.json")))

with socket.socket() as probe:
    probe.bind(("127.0.0.1", 0))
    port = probe.getsockname()[1]
s = daemon.Site()
with open(s.config, "a") as f:
    f.write('addr: "127.0.0.1:%d"\n' % port)
atexit.register(lambda: s.daemon.running() and s.kill())
s.start()


def get(path):
    try:
        with urllib.request.urlopen("http://127.0.0.1:%d%s" % (port, path), timeout=20) as r:
            return r.status, r.read().decode()
    except urllib.error.HTTPError as e:
        return e.code, e.read().decode()


tap.ok(tap.wait_for(lambda: get("/readyz")[0] == 200), "the daemon is ready", s.tail())
tap.equal(get("/healthz")[0], 200, "... and healthy")
page = get("/metrics")[1]
types = dict(re.findall(r"^# TYPE (\S+) (\S+)$", page, re.M))
# Labels by metric: those of the samples; Prometheus adds instance.
served = {}
for name, labels in re.findall(r"^(\w+)(?:\{(.*)\})? \S+$", page, re.M):
    served.setdefault(name, set()).update(re.findall(r'(\w+)="', labels))
LATER = {  # not there before something happens
    "litestream_checkpoint_count": {"db", "mode"}, "litestream_checkpoint_error_count": {"db", "mode"},
    "litestream_checkpoint_seconds": {"db", "mode"}, "litestream_level_files": {"db", "level"},
    "litestream_level_bytes": {"db", "level"}, "litestream_l0_retention_files_total": {"db", "status"},
    "litestream_replica_operation_errors_total": {"replica_type", "operation", "code"},
    "litestream_last_verify_ok": {"db"}, "litestream_last_verify_findings": {"db"},
    "litestream_last_verify_timestamp_seconds": {"db"}}
panels = [p for p in board["panels"] if p["type"] != "row"]
asked = set()


def base(name):
    """The metric of a histogram's series."""
    short = re.sub(r"_(bucket|sum|count)$", "", name)
    return short if types.get(short) == "histogram" else name


def problems(expr):
    """What is wrong with an expression, as text."""
    wrong = []
    for name in re.findall(r"\b(?:litestream|process)_\w+", expr):
        asked.add(base(name))
        if base(name) not in types:
            wrong.append("no metric " + name)
    for name, selector in re.findall(r"\b(\w+)\{([^}]*)\}", expr):
        known = served.get(name, set()) | LATER.get(name, set()) | {"instance"}
        wrong += ["%s has no label %s" % (name, x) for x in re.findall(r"(\w+)\s*(?:=~|!~|!=|=)", selector)
                  if x not in known]
        counter = types.get(base(name)) in ("counter", "histogram")
        changed = re.search(r"(?:rate|increase)\(%s\{[^}]*\}\[" % name, expr) is not None
        if counter != changed:
            wrong.append("%s is a %s" % (name, types.get(base(name))))
    for opening, closing in ("()", "{}", "[]"):
        if expr.count(opening) != expr.count(closing):
            wrong.append("brackets")
    return wrong


for p in panels:
    found = [x for t in p["targets"] for x in problems(t["expr"])]
    tap.ok(p["targets"] and not found, "panel %s" % p["title"], found)
    for t in p["targets"]:
        names = re.findall(r"\{\{(\w+)\}\}", t["legendFormat"])
        grouped = re.search(r"by \(([^)]*)\)", t["expr"])
        metric = re.findall(r"\b((?:litestream|process)_\w+)\{", t["expr"])[0]
        known = set(grouped.group(1).replace(" ", "").split(",")) if grouped else \
            served.get(metric, set()) | LATER.get(metric, set()) | {"instance"}
        tap.equal([n for n in names if n not in known], [], "... its legend names labels that are there")
for v in board["templating"]["list"]:
    if v["type"] == "query":
        metric, label = re.fullmatch(r"label_values\((\w+)(?:\{.*\})?, (\w+)\)", v["query"]["query"]).groups()
        tap.ok(metric in types and label in served[metric] | {"instance"}, "variable " + v["name"], v)
tap.equal(len({p["id"] for p in board["panels"]}), len(board["panels"]), "each panel has a number of its own")
tap.equal(sorted({p["datasource"]["uid"] for p in panels} | {t["datasource"]["uid"] for p in panels for t in p["targets"]}),
          ["${datasource}"], "all of them ask the data source that is chosen")
grid = set()
for p in board["panels"]:
    g = p["gridPos"]
    cells = {(x, y) for x in range(g["x"], g["x"] + g["w"]) for y in range(g["y"], g["y"] + g["h"])}
    tap.ok(not cells & grid and g["x"] + g["w"] <= 24, "panel %s has a place of its own" % p["title"], g)
    grid |= cells
# What says when something happened, and not how it is, is in the log and the inspector.
tap.equal(sorted(n for n in types if n.startswith("litestream_") and n not in asked),
          ["litestream_calls_total", "litestream_last_capture_timestamp_seconds",
           "litestream_last_checkpoint_timestamp_seconds", "litestream_last_upload_timestamp_seconds",
           "litestream_stalled"], "no metric is forgotten")
tap.equal(s.stop(), 0, "the daemon ends well")
tap.done()
