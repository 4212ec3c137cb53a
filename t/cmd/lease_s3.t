#!/usr/bin/env python3
"""Two daemons, one replica on an S3 server with conditional writes, and a lease: see leases.py."""
import os
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.environ["LS_SRC"], "t", "cmd"))
import leases
import proxies
import servers
import tap
from proxies import Fault

server = servers.start("versitygw")
store = server.stores()[0]
leases.story(store.yaml("shop/db", 6), False)
proxy = proxies.Proxy(server.address, rewrite_host=store.rewrite_host)
leases.network(store.yaml("shop/far", 6),
               store.through(server, proxy.address).yaml("shop/far", 6), proxy,
               [Fault("lost", every=3, methods=("PUT",)), Fault("request", every=7)])
tap.done()
