#!/usr/bin/env python3
"""A replica in Azure Blob Storage, from the first sync to restores: see stores.py."""
import os
import sys
import urllib.parse

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.environ["LS_SRC"], "t", "cmd"))
import stores
import tap

story = stores.Story("azurite")
story.tell()

url = "abs://%s@%s/%s?endpoint=%s" % (
    story.store.settings["account-name"], story.store.settings["bucket"], stores.PATH,
    urllib.parse.quote(story.store.settings["endpoint"], safe=""))
os.environ["LITESTREAM_AZURE_ACCOUNT_KEY"] = story.store.settings["account-key"]
tap.equal(story.restored(url=url), len(story.commits), "a restore by URL has every row")
os.environ["LITESTREAM_AZURE_SAS_TOKEN"] = "?" + story.server.stores()[1].settings["sas-token"]
tap.equal(story.restored(url=url), len(story.commits), "so has one by a SAS token")
os.environ["LITESTREAM_AZURE_SAS_TOKEN"] = ""
os.environ["LITESTREAM_AZURE_ACCOUNT_KEY"] = "bWlzdHlwZWQ="
rc, out, err = story.litestream("ltx", url)
tap.ok(rc == 1 and "HTTP status 403" in err and "hint: check the account's key" in err,
       "a wrong key is told, with what to do", err)
tap.ok("bWlzdHlwZWQ=" not in err, "and is not shown", err)
tap.done()
