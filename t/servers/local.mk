# Real servers on loopback, and a proxy with faults, for tests of stores.
EXTRA_DIST += t/servers/server_sshd.py t/servers/server_rclone.py \
	t/servers/server_apache.py t/servers/server_lighttpd.py \
	t/servers/server_nats.py t/servers/nats_client.py t/servers/nkeys.py
EXTRA_DIST += t/servers/servers.py t/servers/proxies.py t/servers/allowed-skips \
	t/servers/server_azurite.py t/servers/server_file.py t/servers/server_gcs.py \
	t/servers/server_gcs_own.py t/servers/gcs_server.py t/servers/strict.py \
	t/servers/server_oss.py t/servers/oss_server.py t/servers/server_versitygw.py
