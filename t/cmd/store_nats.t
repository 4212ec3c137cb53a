#!/usr/bin/env python3
"""litestream with a replica in a NATS object store: the whole story, objects of and for other
clients, and logins of every kind that work and are refused."""
import os
import sys

sys.dont_write_bytecode = True
sys.path[:0] = [os.path.join(os.environ["LS_SRC"], "t", *f) for f in ((), ("support",), ("servers",))]
import tap
import daemon
import servers
import server_nats
import storestory
from server_nats import BUCKET

LTX = "replica/ltx/%d/%016x-%016x.ltx"


def plain():
    server = servers.start("nats")
    store = server.stores()[0]
    story = storestory.Story(store, "replica")
    story.run()
    other_clients(server, story)
    story.wrong("a bucket that is not there", {"bucket": "elsewhere"}, "nats bucket elsewhere")
    story.wrong("no bucket", {}, "bucket required for NATS replica", drop=("bucket",))
    story.wrong("nobody listens", {"host": "127.0.0.1:1", "timeout": "1s"}, "No server available")
    story.wrong("TLS where there is none", {"tls": True}, "")
    story.wrong("half a client certificate", {"client-cert": "/x"}, "must both be specified")
    story.wrong("no seed", {"nkey": "SUsecretsecret"}, "not a seed")
    server.stop()


def other_clients(server, story):
    """Another client reads what litestream wrote, litestream reads what another client wrote."""
    client = server.client()
    tap.equal(client.orphans(BUCKET), [], "no bytes are left of what was replaced or deleted")
    names = [n for n in client.names(BUCKET) if n.startswith("replica/ltx/")]
    data = {n: client.get(BUCKET, n) for n in names}
    tap.ok(data and all(d.startswith(b"LTX1") for d in data.values()),
           "another client reads each file, with size and digest as described", len(names))
    info = client.describe(BUCKET, names[0])
    tap.ok(set(info) == {"name", "headers", "options", "bucket", "nuid", "size", "mtime", "chunks",
                         "digest"} and info["headers"]["Litestream-Timestamp"][0].endswith("Z"),
           "the description has the fields that others write", info)

    # As the Go client writes: the header alone, then pieces as they came.
    for name in names:
        headers = client.describe(BUCKET, name)["headers"]
        client.put(BUCKET, name.replace("replica/", "copy/"), data[name], (100, 1000, 4096, 7),
                   {"Litestream-Timestamp": headers["Litestream-Timestamp"]})
    copy = storestory.Story(story.store, "copy")
    copy.db, copy.kept = story.db, story.kept
    copy.config = copy.configure(story.store.settings, "copy.yml")
    for name, args in (("last", ()), ("second", ("-timestamp", story.kept["second"][1]))):
        why = copy.difference(name, *args)
        tap.ok(why == "", "restore %s from what another client wrote" % " ".join(args[:1]), why)

    bad = dict(data)
    victim = max(bad, key=lambda n: len(bad[n]))
    spoilt = bytes(b ^ 1 if i == 3000 else b for i, b in enumerate(data[victim]))
    digest = client.describe(BUCKET, victim)["digest"]
    client.put(BUCKET, victim.replace("replica/", "copy/"), spoilt, digest=digest)
    r = copy.command("verify", copy.db)
    tap.ok(r.returncode != 0 and victim.rsplit("/", 1)[1] in (r.stdout + r.stderr).decode(),
           "bytes that are not those of the digest are noticed", (r.stdout + r.stderr).decode())

    def listed():
        lines = copy.command("ltx", "-level", "0", copy.db).stdout.decode().splitlines()[1:]
        return len(lines)
    before = listed()
    client.put(BUCKET, "copy/" + LTX[8:] % (0, 0x900, 0x900), b"", deleted=True, size=0, chunks=0)
    client.put(BUCKET, "copy/ltx/0/no-ltx-name", b"x")
    client.request(client.meta_subject(BUCKET, "copy/" + LTX[8:] % (0, 0x901, 0x901)), b"no description")
    tap.equal(listed(), before, "objects that were deleted, have other names or no description are passed over")


def lists(server, name, settings, good=True):
    """Can litestream list the bucket with these settings?"""
    store = servers.Store(name, "nats", dict(settings, **{"reconnect-wait": "100ms"}))
    story = storestory.Story(store, "db")
    r = story.command("ltx", story.db)
    text = (r.stdout + r.stderr).decode()
    tap.ok((r.returncode == 0) == good and (good or "\nhint: " in text),
           "%s: %s" % (name, "works" if good else "is refused with a hint"), text)
    shown = [v for k, v in settings.items() if k in ("password", "token", "seed", "nkey", "jwt") and
             v in text]
    tap.equal(shown, [], "%s: no secret is shown" % name)
    return text


def logins():
    server = server_nats.WithPassword().start()
    base = server.settings()
    without = {k: v for k, v in base.items() if k not in ("username", "password")}
    lists(server, "TLS and password", base)
    text = lists(server, "another password", dict(base, password="secret-but-wrong"), False)
    tap.ok("Authorization" in text or "authentication" in text.lower(), "the server's words are shown", text)
    lists(server, "no login", without, False)
    lists(server, "nkey as a seed", dict(without, nkey=server.key.seed))
    lists(server, "nkey as a public key, and seed", dict(without, nkey=server.key.public,
                                                         seed=server.key.seed))
    lists(server, "nkey without its seed", dict(without, nkey=server.key.public), False)
    other = server_nats.nkeys.KeyPair.new(server.path("other.key"), "U")
    lists(server, "another nkey", dict(without, nkey=other.seed), False)
    lists(server, "an unknown authority", {k: v for k, v in base.items() if k != "root-cas"}, False)
    url = "nats://%s:%s@%s/%s/db?root-ca=%s" % (base["username"], base["password"], server.address,
                                              BUCKET, base["root-cas"][0])
    r = tap.run(daemon.LITESTREAM, "ltx", url)
    text = (r.stdout + r.stderr).decode()
    tap.ok(r.returncode == 0 and base["password"] not in text, "a URL with login and authority", text)
    server.stop()

    server = server_nats.WithClientCertificate().start()
    base = server.settings()
    lists(server, "no client certificate", base, False)
    lists(server, "a client certificate", dict(base, **{
        "client-cert": server.path("client.pem"), "client-key": server.path("client.key")}))
    server.stop()

    server = server_nats.WithToken().start()
    lists(server, "a token", server.settings())
    lists(server, "another token", dict(server.settings(), token="secret-but-wrong"), False)
    server.stop()

    server = server_nats.WithAccounts().start()
    base = {k: v for k, v in server.settings().items() if k != "creds"}
    lists(server, "a creds file", server.settings())
    lists(server, "jwt and seed", dict(base, jwt=server.jwt, seed=server.user.seed))
    lists(server, "jwt and another seed", dict(base, jwt=server.jwt, seed=other.seed), False)
    lists(server, "no creds file", dict(base, creds="/nowhere"), False)
    server.stop()


daemon.need()
plain()
logins()
tap.done()
