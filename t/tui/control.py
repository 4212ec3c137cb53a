"""A scripted control server: answers on a Unix socket as a daemon would, with data that never change
by themselves, and records what it was asked. What it does wrong is its mode:

    normal      six databases in the states there are, jobs, events
    empty       no databases
    refusing    every action is refused, with a hint
    ending      everything is 503
    slow        takes requests and never answers
    html        answers with something that is not JSON
    shapeless   JSON of another shape: no list
    nameless    a database without a path
    types       every value of another type, and numbers out of range
    garbage     bytes that are no HTTP
    closing     closes each connection at once
    hostile     names and texts with control characters and broken UTF-8
    many        10,000 databases
"""

import http.server
import json
import os
import socketserver
import threading
import time
import urllib.parse

# 14:20:00 by the daemon's clock.
INFO = {"version": "0.1.0", "pid": 4821, "uptime_seconds": 4800,
        "started_at": "2026-11-21T13:00:00.000Z", "database_count": 6}


def hex16(n):
    return "%016x" % n


def level(n, files, size):
    return {"level": n, "files": files, "bytes": size}


def database(path, status="replicating", txid=1, there=None, **more):
    d = {"path": path, "status": status, "replica_type": "file",
         "replica_url": "file:///backups/" + os.path.basename(path)[:-3],
         "meta_path": os.path.join(os.path.dirname(path), ".%s-litestream" % os.path.basename(path)),
         "txid": hex16(txid), "replica_txid": hex16(txid if there is None else there),
         "db_size": 148 * 10**6, "wal_size": 16480, "page_size": 4096, "lag_ms": 0,
         "disk_full": False, "captured_bytes": 0, "captures": 1, "capture": None, "upload": None,
         "maint": None, "capture_error": None, "upload_error": None, "maint_error": None,
         "levels": [level(0, 31, 9000), level(1, 12, 80000), level(9, 7, 900000)],
         "last_sync_at": "2026-11-21T14:20:00.000Z", "last_checkpoint_at": "2026-11-21T14:19:20.000Z",
         "last_snapshot_at": "2026-11-21T00:00:00.000Z",
         "next_snapshot_at": "2026-11-22T00:00:00.000Z", "levels_at": "2026-11-21T14:19:58.000Z"}
    d.update(more)
    return d


def databases():
    failed = {"error": "write ltx file: PUT backups/billing/0000/1edb.ltx: 403 AccessDenied",
              "hint": "the credentials may no longer write to this bucket", "count": 17,
              "since": "2026-11-21T14:17:00.000Z", "last": "2026-11-21T14:19:59.000Z"}
    nothing = {"levels": [], "levels_at": None, "last_sync_at": None, "last_checkpoint_at": None,
               "last_snapshot_at": None, "next_snapshot_at": None}
    return [
        database("/srv/app/shop.db", txid=0x2b7),
        database("/srv/app/users.db", txid=0x9c40, db_size=31 * 10**6, wal_size=4152,
                 maint={"what": "compact", "since": "2026-11-21T14:19:56.000Z"}),
        database("/srv/app/billing.db", "error", 0x1f03, 0x1eda, lag_ms=180000, db_size=12 * 10**8,
                 wal_size=12 * 10**6, upload_error=failed, last_sync_at="2026-11-21T14:17:00.000Z"),
        database("/srv/app/events.db", "behind", 0x88a1c, lag_ms=7000, db_size=22 * 10**9,
                 wal_size=3 * 10**6, last_sync_at="2026-11-21T14:19:53.000Z",
                 upload={"what": "upload", "since": "2026-11-21T14:19:55.000Z"}),
        database("/srv/old/2019.db", "stopped", 0x12, db_size=2 * 10**6, wal_size=0,
                 replica_type="ftp", replica_url="ftp://old/2019",
                 last_sync_at="2026-11-19T14:00:00.000Z"),
        database("/srv/app/new.db", "missing", 0, db_size=0, wal_size=0, **nothing),
    ]


def progress(files_done, files, done, all_, pages=0):
    return {"files_done": files_done, "files": files, "bytes_done": done, "bytes": all_,
            "pages_written": pages}


def jobs():
    whole = {"ok": True, "full": False, "files": 83, "bad_files": 0, "bytes": 412 * 10**6,
             "points": 161, "points_bad": 0, "txid": hex16(0x2b7), "n_findings": 0, "findings": []}
    return [
        {"id": 1, "kind": "verify", "path": "/srv/app/shop.db", "status": "done",
         "queued_at": "2026-11-21T13:10:00.000Z", "started_at": "2026-11-21T13:10:00.000Z",
         "ended_at": "2026-11-21T13:10:07.000Z", "progress": progress(83, 83, 4, 4), "result": whole},
        {"id": 2, "kind": "restore", "path": "/srv/app/users.db", "output": "/srv/app/x.db",
         "status": "failed", "queued_at": "2026-11-21T13:20:00.000Z",
         "started_at": "2026-11-21T13:20:00.000Z", "ended_at": "2026-11-21T13:20:01.000Z",
         "progress": progress(0, 0, 0, 0), "error": "restore /srv/app/x.db: the file already exists",
         "hint": "choose another path, or -force"},
        {"id": 3, "kind": "restore", "path": "/srv/app/events.db", "output": "/srv/app/events-2.db",
         "status": "running", "queued_at": "2026-11-21T14:19:00.000Z",
         "started_at": "2026-11-21T14:19:01.000Z",
         "progress": progress(3, 7, 101 * 10**6, 148 * 10**6, 5000)},
    ]


def events():
    rows = [
        ("capture", "/srv/app/shop.db", 0, 0x2b6, 0x2b6, 627, ""),
        ("upload", "/srv/app/shop.db", 0, 0x2b6, 0x2b6, 0, ""),
        ("compact", "/srv/app/users.db", 1, 0x9c00, 0x9c40, 80000, ""),
        ("checkpoint", "/srv/app/shop.db", -1, 0, 0, 0, "passive"),
        ("error", "/srv/app/billing.db", -1, 0, 0, 0,
         "write ltx file: PUT backups/billing/0000/1edb.ltx: 403 AccessDenied"),
        ("database", "/srv/old/2019.db", -1, 0, 0x12, 0, "stopped"),
        ("snapshot", "/srv/app/shop.db", 9, 1, 0x2b7, 148 * 10**6, ""),
    ]
    for i, (kind, path, lvl, first, last, size, text) in enumerate(rows):
        e = {"number": i + 1, "kind": kind, "at": "2026-11-21T14:1%d:00.000Z" % i, "path": path,
             "bytes": size, "text": text}
        if lvl >= 0:
            e["level"] = lvl
        if last > 0:
            e["min_txid"], e["max_txid"] = hex16(first or last), hex16(last)
        yield e


class Server:
    """Listens until close(); asked is [(method, path, body)]."""

    def __init__(self, path, mode="normal"):
        self.path, self.mode = path, mode
        self.info = dict(INFO)
        self.dbs, self.jobs, self.events = databases(), jobs(), list(events())
        self.asked = []
        self.ending = threading.Event()
        self.lock = threading.Lock()
        self.set_mode()
        self.server = Listener(path, Handler)
        self.server.owner = self
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True)
        self.thread.start()

    def set_mode(self):
        if self.mode == "empty":
            self.dbs, self.jobs, self.events = [], [], []
        if self.mode == "many":
            self.dbs = [database("/srv/tenants/%05d.db" % i, txid=i + 1) for i in range(10000)]
        if self.mode == "hostile":
            self.dbs[0]["path"] = "/srv/\x1b[31m\u202e\n.db"
            self.dbs[2]["upload_error"]["error"] = "\x07\x1b]52;c;AAAA\x07"
            self.events[0]["text"] = "\x1b[2J"
            self.jobs[0]["result"] = {"findings": 7}
        if self.mode == "types":
            self.dbs[0] = {k: ["/x"] if k != "path" else v for k, v in self.dbs[0].items()}
            self.dbs[1].update(db_size=-5, wal_size=2**63 - 1, txid="zz", levels=[{"level": 99}, 7],
                               last_sync_at="yesterday", lag_ms=-1)

    def close(self):
        self.ending.set()
        self.server.shutdown()
        self.server.server_close()
        if os.path.exists(self.path):
            os.unlink(self.path)

    def posts(self):
        return [(path, body) for method, path, body in self.asked if method == "POST"]

    # ---- answers ----

    def answer(self, method, path, body):
        with self.lock:
            self.asked.append((method, path, body))
            if self.mode == "ending":
                return 503, {"error": "the daemon is shutting down", "hint": "try again"}
            if method == "POST":
                return self.refuse() if self.mode == "refusing" else self.act(path, body)
            return self.get(path)

    def get(self, path):
        if path == "/info":
            return 200, self.info
        if path == "/jobs":
            return 200, {"jobs": self.jobs}
        if path == "/databases" and self.mode == "shapeless":
            return 200, {"databases": 5}
        if path == "/databases" and self.mode == "nameless":
            return 200, {"databases": [{"status": "replicating"}]}
        if path == "/databases":
            return 200, {"last_event": len(self.events), "databases": self.dbs}
        return 404, {"error": "not found"}

    @staticmethod
    def refuse():
        return 500, {"error": "the disk is full", "hint": "free some space, then try again"}

    def act(self, path, body):
        db = next((d for d in self.dbs if d["path"] == body.get("path")), None)
        if path == "/jobs/cancel":
            job = next(j for j in self.jobs if j["id"] == body["id"])
            job.update(status="canceled", ended_at="2026-11-21T14:20:00.000Z")
            return 200, {"status": "canceling", "id": body["id"]}
        if path == "/register":
            return 500, {"error": "failed to register database: the databases of a running daemon are fixed"}
        if db is None:
            return 404, {"error": "database not found: %s" % body.get("path")}
        if path in ("/verify", "/restore"):
            job = {"id": len(self.jobs) + 1, "kind": path[1:], "path": db["path"], "status": "running",
                   "output": body.get("output", ""), "queued_at": "2026-11-21T14:20:00.000Z",
                   "started_at": "2026-11-21T14:20:00.000Z", "progress": progress(1, 4, 25, 100)}
            self.jobs.append(job)
            return 202, {"status": "queued", "id": job["id"]}
        return self.change(path, body, db)

    def change(self, path, body, db):
        txid = int(db["txid"], 16)
        if path in ("/sync", "/snapshot") and db["status"] == "stopped":
            return 409, {"error": "database not open: %s" % db["path"],
                         "hint": "start it: litestream start %s" % db["path"]}
        status = {"/sync": "synced" if body.get("wait") else "synced_local", "/snapshot": "snapshot",
                  "/start": "started", "/stop": "stopped", "/unregister": "unregistered"}[path]
        answer = {"status": status, "path": db["path"], "txid": txid}
        if body.get("wait"):
            db["replica_txid"] = db["txid"]
            answer["replicated_txid"] = txid
        if path in ("/start", "/stop"):
            db["status"] = "replicating" if path == "/start" else "stopped"
        if path == "/unregister":
            self.dbs.remove(db)
        return 200, answer


class Listener(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True
    request_queue_size = 64

    def handle_error(self, request, client_address):
        """A client that went away is nobody's error."""


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *args):
        pass

    def address_string(self):
        return "unix"

    def spoil(self):
        """True if the mode is no answer at all."""
        mode = self.server.owner.mode
        if mode == "slow":
            self.server.owner.ending.wait()
        elif mode == "garbage":
            self.wfile.write(b"\x00\xff\x13no http\r\n\r\n" * 100)
        elif mode == "html":
            self.send(200, b"<html>It works!</html>")
        self.close_connection = self.close_connection or mode != "html"
        return mode in ("slow", "garbage", "html", "closing")

    def send(self, status, data, kind="application/json"):
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def reply(self, method, body):
        url = urllib.parse.urlsplit(self.path)
        owner = self.server.owner
        if owner.mode in ("slow", "garbage", "html", "closing"):
            self.spoil()
        elif url.path == "/events" and owner.mode != "ending":
            self.stream(int(urllib.parse.parse_qs(url.query).get("after", ["0"])[0]))
        else:
            status, answer = owner.answer(method, url.path, body)
            data = json.dumps(answer).encode()
            if owner.mode == "hostile":
                data = data.replace(b"AccessDenied", b"\xff\xfe")
            self.send(status, data)

    def stream(self, after):
        owner = self.server.owner
        self.close_connection = True
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.end_headers()
        silent = 0
        while not owner.ending.is_set():
            with owner.lock:
                new = [e for e in owner.events if e["number"] > after]
            for e in new:
                after = e["number"]
                self.wfile.write(b"id: %d\nevent: %s\ndata: %s\n\n" %
                                 (after, e["kind"].encode(), json.dumps(e).encode()))
            silent += 1
            if not new and silent % 50 == 0:
                self.wfile.write(b":\n\n")
            self.wfile.flush()
            time.sleep(0.01)

    def do_GET(self):
        self.reply("GET", {})

    def do_POST(self):
        size = int(self.headers.get("Content-Length", 0))
        self.reply("POST", json.loads(self.rfile.read(size) or b"{}"))
