#!/usr/bin/env python3
"""Stores behind a network that corrupts at random what objects are made of, both on the way up and
down, and drops, delays and refuses besides: what the store has in the end is right, and is restored
right or refused.

STORE_SECONDS (8): how long each is written to. CORRUPT_SEED: of the faults.
"""

import os
import sys

sys.dont_write_bytecode = True
sys.path[:0] = [os.path.join(os.environ["LS_SRC"], "t", "cmd")]
import stores
import tap
import daemon
import servers
from program import left_out
from proxies import Fault

SEED = int(os.environ.get("CORRUPT_SEED", "1"))
CHANCE = 0.12
# What is sent of objects and what comes of them. Listings and answers that are no objects have no
# checksum anywhere: for those there is TLS.
UP = r"\.ltx|/upload/|/resumable/"
DOWN = r"^GET /(?!storage/)[^?]*\.ltx|^GET [^?]*\.ltx\?\S*alt=media"
TYPES = {"versitygw": "s3", "gcs_own": "gs", "azurite": "abs", "oss": "oss", "apache": "webdav",
         "lighttpd": "webdav"}
# Damage that is not there must not be told, nor another writer.
LIES = ("other contents", "lost or exchanged", "lineages", "other bytes", "damaged", "other client")


def faults(seed, down=CHANCE):
    """Bodies of objects are spoilt; and what else networks do."""
    return [Fault("corrupt", chance=CHANCE, seed=seed, to_server=True, methods=("PUT", "POST"), path=UP, least=200),
            Fault("corrupt", chance=down, seed=seed + 1, methods=("GET",), path=DOWN),
            Fault("lost", every=31), Fault("status", every=37, status=503),
            Fault("request", every=41, methods=("PUT", "POST"), least=200),
            Fault("delay", every=19, seconds=0.1)]


def story(kind):
    s = stores.Story(kind)
    label = s.store.label
    chosen = faults(SEED)
    s.proxy.set(*chosen)
    s.site.start()
    s.write(stores.SECONDS / 2)
    tap.ok(s.site.kill(), "%s: the daemon runs until it is killed" % label, s.site.text()[-2000:])
    s.write(0.5)
    s.site.start()
    s.write(stores.SECONDS / 2)
    tap.equal(s.site.stop(), 0, "... it ends well after its last sync")
    tap.ok(chosen[0].hits > 3, "... %d uploads and %d downloads were spoilt" % (chosen[0].hits, chosen[1].hits))
    s.same("... the store has the database")
    rc, out, err = s.litestream("verify", "-full", "-config", s.direct, s.db)
    tap.ok(rc == 0, "[CORRUPT-1] ... every file there is whole", out + err)
    s.proxy.set(*faults(SEED + 2, 0.01)[1:])
    tries, right, wrong = 0, 0, ""
    while tries < 40 and right < 3 and wrong == "":
        tries += 1
        if s.restore(config=s.faulty):
            wrong, right = daemon.compare(s.db, s.out), right + 1
    tap.ok(right == 3 and wrong == "", "[CORRUPT-2] ... a restore over it is right or refused: %d of %d" % (right, tries),
           wrong)
    # A compaction that finds something spoilt each of several times may say so: it is tried again.
    said = [line for line in s.site.text().splitlines() if ("level=ERROR" in line or "level=WARN" in line)
            and 'msg="compaction failed"' not in line and "cannot be compacted" not in line]
    tap.equal([line[:600] for line in said if any(lie in line for lie in LIES)], [],
              "[CORRUPT-3] ... the log tells of no damage and no other writer")
    s.secrets()
    s.server.stop()


for kind in sys.argv[1:] or TYPES:
    why = servers.missing(kind)
    if TYPES[kind] in left_out():
        tap.skip_allowed(kind, "not part of this build")
    elif why is None:
        story(kind)
    elif servers.must_be_there(kind):
        tap.ok(False, kind + " is there", why)
    else:
        tap.skip_allowed(kind, why)
tap.done()
