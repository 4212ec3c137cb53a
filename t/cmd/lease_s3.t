#!/usr/bin/env python3
"""Two daemons, one replica on an S3 server with conditional writes, and a lease: see leases.py."""
import os
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.environ["LS_SRC"], "t", "cmd"))
import leases
import servers
import tap

store = servers.start("versitygw").stores()[0]
leases.story(store.yaml("shop/db", 6), False)
tap.done()
