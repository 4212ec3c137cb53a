#!/usr/bin/env python3
"""litestream databases, and what a configuration that is wrong comes to."""

import os
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
import tap
from program import as_json, config, error, left_out, litestream, success

d = tap.scratch()


def databases(text, *args, **kw):
    return litestream("databases", "-config", config(d, text), *args, **kw)


good = """
dbs:
  - path: /srv/app/data/a.db
    replica: {path: /srv/app/ra}
  - path: sqlite:///srv/b.db
    replicas: [{url: "file:///srv/rb"}]
"""
success(databases(good), "path                replica\n/srv/app/data/a.db  file\n/srv/b.db           file\n",
        "databases are listed in the order of the file")
success(databases(good, "-json"), """[
  {
    "path": "/srv/app/data/a.db",
    "replica": "file"
  },
  {
    "path": "/srv/b.db",
    "replica": "file"
  }
]
""", "databases -json")
success(databases(""), "path  replica\n", "no databases: the heading alone")
success(databases("", "-json"), "[]\n", "no databases as JSON")
success(litestream("databases", env={"LITESTREAM_CONFIG": config(d, good)}),
        "path                replica\n/srv/app/data/a.db  file\n/srv/b.db           file\n",
        "LITESTREAM_CONFIG names the file")
r = litestream("databases", "-h", env={"LITESTREAM_CONFIG": "/x/y.yml"})
tap.ok("Default: /x/y.yml\n" in r.out, "help shows the default that counts", r)
success(litestream("databases", "-config", "litestream.yml", cwd=d),
        "path                replica\n/srv/app/data/a.db  file\n/srv/b.db           file\n",
        "a relative path is taken from the working folder")
error(litestream("databases", "x"), "too many arguments")
error(litestream("databases", "x", "-json"), "too many arguments")

text = "dbs: [{path: $DB, replica: {path: '${DB}-r'}}]"
success(databases(text, env={"DB": "/e.db"}), "path   replica\n/e.db  file\n",
        "variables are expanded")
r = databases(text, "-no-expand-env", cwd=d)
tap.ok(r.rc == 0 and r.out.endswith("/$DB  file\n"), "-no-expand-env leaves them", r)

c = os.path.join(d, "litestream.yml")
error(litestream("databases", "-config", d + "/none.yml"), "config file not found: %s/none.yml" % d,
      "give its path with -config or LITESTREAM_CONFIG")
r = litestream("databases", "-config", d)
tap.ok(r.rc == 1 and d in r.err and "\nhint: " in r.err, "a folder is no configuration", r)

for text, msg, hint in [
    ("dbs:\n  - path: /a\n    replika: {}\n", ":3:5: unknown key \"replika\" in dbs[0]",
     "did you mean \"replica\"?"),
    ("dbs: [\n", ":2:1: did not find expected node content",
     "the file is no valid YAML: while parsing a flow node"),
    ("snapshot: {interval: 0}", ":1:22: snapshot.interval: snapshot interval must be greater than 0 "
     "(got 0s)", "see litestream.yml(5)"),
    ("sync-interval: 10", ":1:16: sync-interval must be a duration such as 10s, not 10",
     "add a unit: 10s for seconds, 10m for minutes"),
    ("dbs: [{path: /a, replica: {retention: 1h}}]",
     ":1:28: \"retention\" in dbs[0].replica is not a key any more",
     "write snapshot: {retention: 24h} at the top level instead"),
    ("dbs: [null]", ":1:7: dbs[0] must be a map, not nothing", None),
    ("logging: {type: xml}", ":1:17: logging.type: unknown type \"xml\"", "one of text, json, pretty"),
    ("dbs: [{path: /a, dir: /b}]",
     ":1:7: database config #1: cannot specify both 'path' and 'dir'", None),
]:
    error(databases(text), c + msg, hint)
r = databases("dbs: [{path: /a, replica: {secret-access-key: {x: hush}}}]")
tap.ok(r.rc == 1 and "hush" not in r.out + r.err and "secret-access-key" in r.err,
       "a secret is not shown", r)

text = "snapshto: {interval: 1h}\ndbs: [{path: /a, replica: {path: /r, retention: 72h}}]\n"
warnings = ('Warning: %s:1:1: unknown key "snapshto"\nhint: did you mean "snapshot"?\n'
            'Warning: %s:2:38: "retention" in dbs[0].replica is not a key any more\n'
            'hint: write snapshot: {retention: 24h} at the top level instead\n' % (c, c))
error(databases(text), c + ":1:1: unknown key \"snapshto\"", "did you mean \"snapshot\"?")
r = databases(text, "-allow-unknown-keys", "-json")
tap.ok(r.rc == 0 and r.err == warnings and as_json(r) == [{"path": "/a", "replica": "file"}],
       "-allow-unknown-keys: a warning for each, the rest counts", r)
tap.write(d + "/blocked", b"")
text = "novel: 1\ndbs: [{path: %s/blocked/a.db, replica: {path: %s/r}}]\n" % (d, d)
for command in ("status", "ltx", "restore", "restore-points", "verify", "reset"):
    args = [] if command == "status" else [d + "/blocked/a.db"]
    r = litestream(command, "-config", config(d, text), "-allow-unknown-keys", *args)
    tap.ok(r.err.startswith('Warning: %s:1:1: unknown key "novel"\n' % c), "... also of " + command, r)
r = litestream("replicate", "-config", c, "-allow-unknown-keys", "-once")
tap.ok('level=WARN msg="key of the configuration has no effect" at="%s:1:1: unknown key '
       '\\"novel\\"" hint="litestream.yml(5) lists the keys"\n' % c in r.out, "replicate logs it", r)

for replica_text, msg in [
    ("", "must specify replica for database"),
    ("replica: {path: /r, url: 'file:///r'}", "cannot specify url & path for file replica"),
    ("replica: {}", "file replica path required"),
    ("replica: {url: 'file://'}", "file replica path required"),
    ("replica: {path: 's3://b/x'}",
     "replica path cannot be a url, please use the 'url' field instead: s3://b/x"),
    ("replica: {url: /r}", "replica url scheme required: /r"),
    ("replica: {type: bogus}", "unknown replica type in config: \"bogus\""),
    ("replica: {type: sftpp, path: /x}", "unknown replica type in config: \"sftpp\""),
    ("replica: {url: 'bogus://x'}", "unknown replica type in config: \"bogus\""),
] + [("replica: {type: %s, bucket: b, path: p}" % t, t + " replicas are not part of this build")
     for t in left_out()
] + [("replica: {url: '%s://h/p', account-key: k}" % t.upper(),
      t + " replicas are not part of this build") for t in left_out()
] + ([] if "s3" in left_out() else [
    ("replica: {type: s3, path: p}", "bucket required for s3 replica"),
    ("replica: {url: 's3://b/x', bucket: b}", "cannot specify url & bucket for s3 replica"),
    ("replica: {url: 's3://b/x', path: p}", "cannot specify url & path for s3 replica"),
    ("replica: {url: 's3://b/x?signPayload=perhaps'}",
     's3 replica: sign-payload must be true or false, not "perhaps"'),
    ("replica: {url: 's3://b/x?sse-customer-key=secret'}",
     "s3: sse-customer-key must be valid base64"),
]):
    error(databases("dbs: [{path: /z, replica: {path: /r}}, {path: /a, %s}]" % replica_text),
          "/a: " + msg)
error(databases("dbs: [{dir: %s/none, pattern: '*.db', replica: {path: /r}}]" % d),
      "failed to scan directory %s/none: No such file or directory" % d)
tap.done()
