"""NATS with JetStream, and its object store: without login, or with one of several kinds."""

import os
import shutil
import ssl

import nats_client
import nkeys
import servers
import tap

BUCKET = "lsbucket"


class Server(servers.Base):
    name = "nats"
    title = "nats-server"
    client_args = {}

    @classmethod
    def program(cls):
        return shutil.which("nats-server") or "/usr/sbin/nats-server"

    @classmethod
    def find(cls):
        if not os.path.exists(cls.program()):
            raise servers.Missing("not installed: Debian package nats-server")

    def path(self, name):
        return os.path.join(self.dir, name)

    def config(self):
        """What stands in the configuration beside address and storage."""
        return ""

    def command(self):
        tap.write(self.path("nats.conf"), (
            'listen: "%s"\njetstream: {store_dir: "%s"}\n%s' %
            (self.address, self.path("data"), self.config())).encode())
        return [self.program(), "-c", self.path("nats.conf")]

    def client(self):
        return nats_client.Client(self.port, **self.client_args)

    def answers(self):
        try:
            return self.connects() and self.client() is not None
        except nats_client.NatsError:
            return False

    def prepare(self):
        self.client().make_bucket(BUCKET)

    def settings(self):
        return {"host": self.address, "bucket": BUCKET}

    def stores(self):
        return [servers.Store("nats", "nats", dict(self.settings(), **{"reconnect-wait": "100ms"}),
                              http=False,
                              able=("time=1", "bare", "many=2300", "big=20000000"))]

    def put_raw(self, key, data):
        self.client().put(BUCKET, key, data)

    def leftovers(self):
        return self.client().orphans(BUCKET)


# ---- servers that want a login ----

USER, PASSWORD, TOKEN = "lsuser", "nats-pass-word", "nats-to-ken"


def openssl(*args, data=None):
    r = tap.run("openssl", *args, **({"input": data} if data is not None else {}))
    if r.returncode != 0:
        raise servers.Missing("openssl %s: %s" % (args[0], r.stderr.decode()))
    return r.stdout


class WithPassword(Server):
    """TLS by an authority of its own; user and password, or a key pair."""

    title = "nats-server, TLS"

    def config(self):
        if not os.path.exists(self.path("server.pem")):
            self.make_certificates()
        self.key = nkeys.KeyPair.new(self.path("user.key"), "U")
        return """
tls: {cert_file: "%s", key_file: "%s", ca_file: "%s"%s}
authorization: {users: [{user: "%s", password: "%s"}, {nkey: "%s"}]}
""" % (self.path("server.pem"), self.path("server.key"), self.path("ca.pem"), self.verify, USER,
       PASSWORD, self.key.public)

    verify = ""

    def make_certificates(self):
        new = ("req", "-newkey", "rsa:2048", "-nodes", "-subj")
        openssl(*new, "/CN=test authority", "-x509", "-days", "2", "-keyout", self.path("ca.key"),
                "-out", self.path("ca.pem"))
        for name in ("server", "client"):
            openssl(*new, "/CN=" + name, "-keyout", self.path(name + ".key"), "-out",
                    self.path(name + ".csr"))
            tap.write(self.path("ext"), b"subjectAltName=IP:127.0.0.1,DNS:localhost\n")
            openssl("x509", "-req", "-in", self.path(name + ".csr"), "-CA", self.path("ca.pem"),
                    "-CAkey", self.path("ca.key"), "-CAcreateserial", "-days", "2", "-extfile",
                    self.path("ext"), "-out", self.path(name + ".pem"))

    def client(self):
        context = ssl.create_default_context(cafile=self.path("ca.pem"))
        context.load_cert_chain(self.path("client.pem"), self.path("client.key"))
        return nats_client.Client(self.port, tls=context, user=USER, **{"pass": PASSWORD})

    def settings(self):
        return dict(super().settings(), username=USER, password=PASSWORD,
                    **{"root-cas": [self.path("ca.pem")]})

    def stores(self):
        return [servers.Store("nats TLS, password", "nats", self.settings(), http=False,
                              secrets=(PASSWORD,), able=("time=1", "bare", "many=100"))]


class WithClientCertificate(WithPassword):
    """The same, and clients must show a certificate."""

    verify = ", verify: true"


class WithToken(Server):
    title = "nats-server, token"
    client_args = {"auth_token": TOKEN}

    def config(self):
        return 'authorization: {token: "%s"}\n' % TOKEN

    def settings(self):
        return dict(super().settings(), token=TOKEN)


class WithAccounts(Server):
    """Accounts by JWT: an operator signs an account, which signs a user."""

    title = "nats-server, JWT"

    def config(self):
        pair = {n: nkeys.KeyPair.new(self.path(n + ".key"), n[0].upper())
                for n in ("operator", "account", "user")}
        pair["system"] = nkeys.KeyPair.new(self.path("system.key"), "A")
        operator, account, user = pair["operator"], pair["account"], pair["user"]
        limits = {"subs": -1, "data": -1, "payload": -1, "imports": -1, "exports": -1, "conn": -1,
                  "leaf": -1, "mem_storage": -1, "disk_storage": -1, "streams": -1, "consumer": -1}
        self.jwt = account.sign(user.public, "user", {"type": "user", "subs": -1, "data": -1,
                                                      "payload": -1})
        self.user = user
        tap.write(self.path("user.creds"), (
            "-----BEGIN NATS USER JWT-----\n%s\n------END NATS USER JWT------\n\n"
            "-----BEGIN USER NKEY SEED-----\n%s\n------END USER NKEY SEED------\n" %
            (self.jwt, user.seed)).encode())
        return 'operator: "%s"\nresolver: MEMORY\nsystem_account: "%s"\nresolver_preload: {%s}\n' % (
            operator.sign(operator.public, "operator", {"type": "operator",
                                                        "system_account": pair["system"].public}),
            pair["system"].public,
            ", ".join('"%s": "%s"' % (p.public, operator.sign(p.public, "account", {
                "type": "account", "limits": limits if p is account else {
                    "subs": -1, "data": -1, "payload": -1, "imports": -1, "exports": -1,
                    "conn": -1, "leaf": -1}})) for p in (account, pair["system"])))

    def client(self):
        return nats_client.Client(self.port, jwt=self.jwt, sign=self.user.sign_nonce)

    def settings(self):
        return dict(super().settings(), creds=self.path("user.creds"))
