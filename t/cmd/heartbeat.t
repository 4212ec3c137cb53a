#!/usr/bin/env python3
"""heartbeat-url of a running daemon: the first heartbeat comes with the first sync, none comes while a
replica cannot be written to, and no record shows the URL. cmd/serve.c"""

import os
import sys
import threading
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
import tap
import daemon
import loopback

daemon.need()


class Monitor(loopback.Server):
    """Counts what comes; answers with its status, or not at all while it holds."""

    def __init__(self):
        self.asked = []
        self.status = 200
        self.go_on = threading.Event()
        self.go_on.set()
        monitor = self

        class Handler(loopback.Handler):
            protocol_version = "HTTP/1.0"

            def answer(self):
                monitor.asked.append((self.command, self.path, self.headers["User-Agent"]))
                monitor.go_on.wait(60)
                self.reply(monitor.status)

        super().__init__(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.serve_forever, daemon=True).start()


def site(monitor):
    s = daemon.Site()
    with open(s.config, "a") as f:
        f.write("heartbeat-url: http://127.0.0.1:%d/ping/secret-token\nlogging: {level: debug}\n"
                % monitor.server_port)
    return s


def well():
    m = Monitor()
    s = site(m)
    s.start()
    tap.ok(tap.wait_for(lambda: m.asked), "a heartbeat is sent once the databases are replicated", s.tail())
    version = tap.run(daemon.LITESTREAM, "version").stdout.decode().split()[0]
    tap.equal(m.asked, [("GET", "/ping/secret-token", "litestream/" + version)], "... by one GET")
    tap.equal(s.count('msg="starting heartbeat monitor" system=store interval=15s'), 1, "the log tells")
    tap.ok(tap.wait_for(lambda: s.count('msg="heartbeat ping sent" system=store host=127.0.0.1') == 1),
           "... of each at the level debug", s.tail())
    tap.ok("secret" not in s.text(), "... and never shows the URL", s.tail())
    s.check("the daemon ends well")
    tap.equal(len(m.asked), 1, "no other was sent before its time")


def refused():
    m = Monitor()
    m.status = 500
    s = site(m)
    s.start()
    tap.ok(tap.wait_for(lambda: s.daemon.lines('msg="heartbeat ping failed"')), "a failure is told", s.tail())
    line = "".join(s.daemon.lines('msg="heartbeat ping failed"'))
    tap.ok('error="unexpected status code: 500"' in line and "hint=" in line and "secret" not in s.text(),
           "... and why", line)
    tap.equal(s.stop(), 0, "replication goes on")
    tap.equal(len(m.asked), 1, "it is not tried again before its time")


def silent():
    """Neither replication nor the end waits for a server that does not answer."""
    m = Monitor()
    m.go_on.clear()
    s = site(m)
    s.start()
    tap.ok(tap.wait_for(lambda: m.asked), "a server that does not answer")
    s.rows(3)
    tap.ok(s.reaches(), "... keeps nothing from being replicated")
    begun = time.monotonic()
    tap.equal(s.stop(), 0, "... nor the daemon from ending")
    tap.ok(time.monotonic() - begun < 10, "... at once", time.monotonic() - begun)
    tap.equal(s.difference(), "", "... after a last sync")
    m.go_on.set()


def blocked():
    """Nothing is well: no heartbeat in the time in which a good daemon has sent its first."""
    m, good = Monitor(), Monitor()
    s, g = site(m), site(good)
    tap.write(s.root, b"in the way")
    s.start(wait=False)
    tap.ok(tap.wait_for(lambda: s.daemon.lines('msg="monitor error"')), "a replica that cannot be written to")
    g.start()
    tap.wait_for(lambda: good.asked)
    time.sleep(1.5)
    tap.ok(good.asked and not m.asked, "... sends no heartbeat", (good.asked, m.asked))
    g.stop()
    os.unlink(s.root)
    tap.ok(tap.wait_for(lambda: m.asked, 30), "... until it can", s.tail())
    s.stop()


daemon.stories(well, refused, silent, blocked)
tap.done()
