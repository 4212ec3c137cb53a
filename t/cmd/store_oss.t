#!/usr/bin/env python3
"""A replica in Alibaba Cloud OSS, from the first sync to restores: see stores.py."""
import os
import sys
import urllib.parse

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.environ["LS_SRC"], "t", "cmd"))
import stores
import tap

story = stores.Story("oss")
story.tell()

settings = story.store.settings
url = "oss://%s/%s?region=%s&endpoint=%s" % (settings["bucket"], stores.PATH, settings["region"],
                                             urllib.parse.quote(settings["endpoint"], safe=""))
os.environ.update(OSS_ACCESS_KEY_ID=settings["access-key-id"],
                  OSS_ACCESS_KEY_SECRET=settings["secret-access-key"])
tap.equal(story.restored(url=url), len(story.commits), "a restore by URL has every row")
os.environ["OSS_ACCESS_KEY_SECRET"] = "mistyped-secret"
rc, out, err = story.litestream("ltx", url)
tap.ok(rc == 1 and "SignatureDoesNotMatch" in err and "hint: check the access key" in err,
       "a wrong key is told, with what to do", err)
tap.ok("mistyped-secret" not in err, "and is not shown", err)
tap.done()
