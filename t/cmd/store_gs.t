#!/usr/bin/env python3
"""A replica in Google Cloud Storage, from the first sync to restores: see stores.py."""
import os
import sys
import urllib.parse

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.environ["LS_SRC"], "t", "cmd"))
import stores
import tap

story = stores.Story("gcs_own")
story.tell()

url = "gs://bkt1/%s?endpoint=%s" % (stores.PATH, urllib.parse.quote(
    story.store.settings["endpoint"], safe=""))
tap.equal(story.restored(url=url), len(story.commits), "a restore by URL has every row")
os.environ["GCE_METADATA_HOST"] = "127.0.0.1:9"
rc, out, err = story.litestream("ltx", url)
tap.ok(rc == 1 and "metadata server" in err and "GOOGLE_APPLICATION_CREDENTIALS" in err,
       "credentials that are missing are told, with what to do", err)
tap.done()
