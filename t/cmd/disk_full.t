#!/usr/bin/env python3
"""Full disks: that of the local files, of the replica, of the database, and all of them. The daemon
says so with the file and what to do, takes its time, and goes on by itself when there is room.

The disks are full for the program only (t/support/full_disk.c), so that this needs no rights."""
import os
import sys

sys.dont_write_bytecode = True
sys.path[:0] = [os.path.join(os.environ["LS_SRC"], "t"),
                os.path.join(os.environ["LS_SRC"], "t", "support")]
import tap
import daemon

daemon.LITESTREAM = os.path.join(tap.BUILD, "t", "cmd", "litestream_full")
HINT = "free some space"


class Full(daemon.Site):
    """A site whose disks can be full."""

    def __init__(self, **kw):
        super().__init__(**kw)
        self.list = self.dir + "/full"
        os.environ["LS_FULL_DISKS"] = self.list
        self.meta = self.dir + "/data/.a.db-litestream"

    def fill(self, *folders):
        tap.write(self.list + ".new", "".join(f + "\n" for f in folders).encode())
        os.rename(self.list + ".new", self.list)

    def told(self, folder):
        """The log tells of the full disk, of a file below the folder, and what to do."""
        return [line for line in self.daemon.lines("level=ERROR")
                if "No space left on device" in line and folder in line and HINT in line]

    def ticks(self):
        """Processor time that the daemon has used, in hundredths of a second as a rule."""
        fields = tap.read("/proc/%d/stat" % self.daemon.process.pid).rsplit(b")", 1)[1].split()
        return int(fields[11]) + int(fields[12])

    def left_behind(self):
        return [n for _, _, names in os.walk(self.dir) for n in names if n.endswith(".tmp")]


def patient(site, name):
    """While it waits for room it uses next to no processor time and does not fill the log."""
    ticks, lines = site.ticks(), len(site.daemon.text().splitlines())
    tap.wait_for(lambda: False, 1)
    used, said = site.ticks() - ticks, len(site.daemon.text().splitlines()) - lines
    tap.ok(used < 0.3 * os.sysconf("SC_CLK_TCK") and said < 10, name,
           "%d ticks, %d lines\n%s" % (used, said, site.tail()))


def goes_on(site, name, fulls=1):
    site.fill()
    site.rows(1)
    tap.ok(site.caught_up(20), "%s: goes on when there is room" % name, site.tail())
    tap.equal(site.left_behind(), [], name + ": and leaves no temporary file")
    site.check(name + ": what is restored is the database", fulls=fulls, errors=None)


def local_files():
    name = "disk of the local files full"
    site = Full()
    site.start()
    site.fill(site.meta)
    before = site.local()
    site.rows(20)
    tap.ok(tap.wait_for(lambda: site.told(site.meta)), name + ": the log says so", site.tail())
    patient(site, name + ": no busy loop")
    site.rows(5)
    tap.equal(site.local(), before, name + ": no file is there")
    tap.equal(site.checkpoint("TRUNCATE")[0], 1, name + ": what is not captured stays in the log")
    goes_on(site, name)


def replica():
    name = "disk of the replica full"
    site = Full()
    site.start()
    site.fill(site.root)
    before = site.stored()
    site.rows(5)
    tap.ok(tap.wait_for(lambda: site.told(site.root)), name + ": the log says so", site.tail())
    local = site.local()
    site.rows(5)
    tap.ok(tap.wait_for(lambda: site.local() != local), name + ": captures go on", site.tail())
    patient(site, name + ": no busy loop")
    tap.equal(site.stored(), before, name + ": no file is there")
    goes_on(site, name)


def database():
    name = "disk of the database full"
    site = Full(pages=30)
    site.start()
    site.fill(site.dir + "/data")
    site.rows(60)
    tap.ok(tap.wait_for(lambda: site.told(site.dir + "/data")), name + ": the log says so", site.tail())
    patient(site, name + ": no busy loop")
    site.rows(60)
    goes_on(site, name)


def from_the_start():
    name = "all disks full at the start"
    site = Full()
    site.fill(site.dir + "/data", site.root)
    site.start(wait=False)
    tap.ok(tap.wait_for(lambda: site.told(site.dir)), name + ": the log says so", site.tail())
    patient(site, name + ": no busy loop")
    goes_on(site, name)


def at_the_end():
    name = "stopped while the disks are full"
    site = Full(timeout="200ms")
    site.start()
    site.fill(site.meta, site.root)
    site.rows(5)
    tap.ok(tap.wait_for(lambda: site.told(site.meta)), name + ": the log says so", site.tail())
    tap.equal(site.stop(), 1, name + ": the exit status is 1")
    site.update()
    site.fill()
    tap.ok(site.start(), name + ": the next run brings it", site.tail())
    site.check(name + ": what is restored is the database", errors=None)


if not os.path.exists(daemon.LITESTREAM):
    tap.skip_all("litestream_full is not built")
for story in (local_files, replica, database, from_the_start, at_the_end):
    story()
tap.done()
