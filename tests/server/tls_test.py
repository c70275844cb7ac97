#!/usr/bin/env python3
"""Whom a listener with TLS takes, refuses, and what it says of it."""

import hashlib
import pathlib
import shutil
import socket
import ssl
import struct
import subprocess
import tempfile
import time
import unittest

import authority
from broker import (DISCONNECT, Client, ConfiguredBroker, TlsClient,
                    tls_context, troupe, wait_until)
from ports import free_port

LISTENER = """
[listeners.ssl.default]
bind = "{bind}"
[listeners.ssl.default.ssl_options]
certfile = "{certs}/server.pem"
keyfile = "{certs}/server.key"
"""
MUTUAL = LISTENER + """
cacertfile = "{certs}/ca.pem"
crlfile = "{certs}/crl.pem"
verify = "verify_peer"
fail_if_no_peer_cert = true
"""


class Secure(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.made = pathlib.Path(tempfile.mkdtemp(prefix="troupe-certs-"))
        cls.addClassCleanup(shutil.rmtree, cls.made, ignore_errors=True)
        authority.make(cls.made / "good", "--client", "atm-1", "--client",
                       "atm-2")

    def setUp(self):
        self.certs = pathlib.Path(tempfile.mkdtemp(prefix="troupe-certs-"))
        self.addCleanup(shutil.rmtree, self.certs, ignore_errors=True)
        shutil.copytree(self.made / "good", self.certs, dirs_exist_ok=True)

    def text(self, listener, more="", bind="127.0.0.1:0"):
        return listener.format(certs=self.certs, bind=bind) + more

    def start(self, listener=LISTENER, more="", bind="127.0.0.1:0", **others):
        self.broker = ConfiguredBroker(self.text(listener, more, bind),
                                       http=True, **others)
        self.addCleanup(self.broker.close)
        self.port = self.broker.port_of("ssl:default")

    def identity(self, name):
        return self.certs / (name + ".pem"), self.certs / (name + ".key")

    def client(self, identity=None, **more):
        if isinstance(identity, str):
            identity = self.identity(identity)
        made = TlsClient(self.port, self.certs / "ca.pem", identity, **more)
        self.addCleanup(made.socket.close)
        return made

    def refused(self, identity, why, **more):
        """In TLS 1.3 a client learns it after its own end is done."""
        with self.assertRaises((ssl.SSLError, ConnectionError,
                                AssertionError)):
            self.client(identity, **more).connect("refused")
        wait_until(lambda: why in self.broker.log(),
                   f"the log does not say \"{why}\": {self.broker.log()}")


class CertificatesTest(Secure):
    def test_a_client_comes_in_by_each_version(self):
        self.start()
        for version in ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3:
            context = tls_context(self.certs / "ca.pem")
            context.minimum_version = context.maximum_version = version
            self.client(context=context).connect("any").ping()

    def test_older_versions_are_refused_by_the_lowest(self):
        self.start(more='min_version = "tlsv1.3"\n')
        context = tls_context(self.certs / "ca.pem")
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        self.refused(None, "unsupported protocol", context=context)
        self.client().connect("new").ping()
        self.assertEqual(1, self.broker.metric(
            "troupe_connections_handshake_failed"))

    def test_tls_1_1_is_refused(self):
        self.start()
        answer = subprocess.run(
            ["openssl", "s_client", "-connect", f"127.0.0.1:{self.port}",
             "-tls1_1", "-cipher", "DEFAULT@SECLEVEL=0"], input=b"",
            capture_output=True, timeout=60)
        self.assertNotEqual(0, answer.returncode)
        wait_until(lambda: "unsupported protocol" in self.broker.log(),
                   self.broker.log())

    def test_it_listens_on_ipv6(self):
        self.start(bind="[::1]:0")
        self.client(host="::1").connect("six").ping()

    def test_mutual(self):
        """What is wrong with a certificate is told to the operator."""
        self.start(MUTUAL)
        self.client("atm-1").connect("good").ping()
        self.refused(None, "peer did not return a certificate")
        other = authority.Authority(self.certs / "other")
        self.refused(other.sign("stranger", "/CN=atm-1"),
                     "unable to get local issuer certificate")
        self.refused(other.self_signed("self", "atm-1"),
                     "self-signed certificate")
        # With the authority's own key, as somebody careless would.
        by = self.identity("ca")
        self.refused(other.sign("old", "/CN=atm-1", by=by,
                                start="20200101000000Z",
                                end="20210101000000Z"),
                     "certificate has expired: the certificate of CN=atm-1")
        self.refused(other.sign("early", "/CN=atm-1", by=by,
                                start="20990101000000Z",
                                end="20991231000000Z"),
                     "certificate is not yet valid")
        self.refused(other.sign("wrong", "/CN=atm-1", "server", by=by),
                     "unsuitable certificate purpose")
        self.refused("server", "unsuitable certificate purpose")
        self.assertEqual(0, troupe("certs", self.certs, "--revoke",
                                   "atm-2").returncode)
        self.client("atm-2").connect("not told yet").ping()
        self.broker.reload()
        self.refused("atm-2", "certificate revoked: the certificate of CN=atm-2")
        self.client("atm-1").connect("good").ping()

    def test_chains(self):
        root = authority.Authority(self.certs / "root")
        middle = root.sign("middle", "/CN=Middle", "authority")
        low = root.sign("low", "/CN=Low", "authority", by=middle)
        near = root.sign("near", "/CN=near", by=middle)
        far = root.sign("far", "/CN=far", by=low)

        def chain(name, leaf, *issuers):
            return authority.together(
                self.certs / (name + "-chain.pem"), leaf[0],
                *(x[0] for x in issuers)), leaf[1]
        shutil.copy(root.pem, self.certs / "clients.pem")
        self.start(MUTUAL.replace("ca.pem", "clients.pem")
                   .replace('crlfile = "{certs}/crl.pem"', ""),
                   "depth = 1\n")
        self.client(chain("near", near, middle)).connect("near").ping()
        self.refused(near, "unable to get local issuer certificate")
        self.refused(chain("far", far, low, middle),
                     "certificate chain too long")
        self.broker.reload(self.text(
            MUTUAL.replace("ca.pem", "clients.pem")
            .replace('crlfile = "{certs}/crl.pem"', ""), "depth = 2\n"))
        self.client(chain("far", far, low, middle)).connect("far").ping()

    def test_lists_of_every_authority_are_needed(self):
        root = authority.Authority(self.certs / "root")
        middle = root.sign("middle", "/CN=Middle", "authority")
        leaf = root.sign("leaf", "/CN=leaf", by=middle)
        identity = authority.together(self.certs / "chain.pem", leaf[0],
                                      middle[0]), leaf[1]
        shutil.copy(root.pem, self.certs / "ca-clients.pem")
        shutil.copy(root.revoked(), self.certs / "crl.pem")
        self.start(MUTUAL.replace("ca.pem", "ca-clients.pem"))
        self.refused(identity, "unable to get certificate CRL")
        authority.together(self.certs / "crl.pem", root.revoked(),
                           root.revoked(middle))
        self.broker.reload()
        self.client(identity).connect("leaf").ping()
        root.revoke(middle[0])
        authority.together(self.certs / "crl.pem", root.revoked(),
                           root.revoked(middle))
        self.broker.reload()
        self.refused(identity, "certificate revoked")

    def test_resumption_ends_when_a_certificate_is_revoked(self):
        self.start(MUTUAL)
        context = tls_context(self.certs / "ca.pem", self.identity("atm-1"))
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        first = self.client(context=context).connect("one")

        def again():
            with socket.create_connection(("127.0.0.1", self.port), 10) as raw:
                with context.wrap_socket(raw, server_hostname="localhost",
                                         session=first.socket.session) as it:
                    return it.session_reused
        self.assertTrue(again())
        self.broker.reload()  # the same files: they go on to be good
        self.assertTrue(again())
        self.assertEqual(2, self.broker.metric(
            "troupe_connections_tls_resumed"))
        troupe("certs", self.certs, "--revoke", "atm-1")
        self.broker.reload()
        with self.assertRaises((ssl.SSLError, ConnectionError)):
            again()
        first.ping()  # who is connected stays

    def test_names_of_a_certificate(self):
        subject = "/O=Bank/CN=atm-7"
        signer = authority.Authority(self.certs / "other")
        identity = signer.sign("seven", subject, by=self.identity("ca"))
        der = ssl.PEM_cert_to_DER_cert(pathlib.Path(identity[0]).read_text())
        said = authority.openssl("x509", "-in", identity[0], "-noout",
                                 "-subject", "-nameopt", "RFC2253").stdout
        dn = said.decode().strip().removeprefix("subject=")
        self.assertIn("CN=atm-7", dn)
        for setting, name in (("cn", "atm-7"), ("dn", dn),
                              ("fingerprint",
                               hashlib.sha256(der).hexdigest())):
            with self.subTest(setting):
                self.start(MUTUAL, f'peer_cert_as_username = "{setting}"\n'
                           f'peer_cert_as_clientid = "{setting}"\n')
                with self.client(identity) as it:
                    it.connect("what it says itself", user="somebody")
                    row, = self.broker.ask("clients", "list")
                    self.assertEqual(name, row["clientid"])
                    self.assertEqual(name, row["username"])

    def test_a_name_of_a_certificate_is_held_to_the_limits(self):
        signer = authority.Authority(self.certs / "other")
        long = "".join(f"/O={'x' * 40}{i}" for i in range(20))
        identity = signer.sign("long", long + "/CN=long",
                               by=self.identity("ca"))
        self.start(MUTUAL, 'peer_cert_as_clientid = "dn"\n'
                   "[mqtt]\nmax_clientid_len = 500\n")
        self.client(identity).connect("any", code=0x85)
        self.client(identity, version=4).connect("any", code=2)
        self.client("atm-1").connect("any").ping()

    def test_a_certificate_is_a_login(self):
        self.start(MUTUAL.replace("fail_if_no_peer_cert = true", ""),
                   "[auth.certificate]\nenable = true\n")
        self.client("atm-1").connect("good").ping()
        row, = self.broker.ask("clients", "list")
        self.assertEqual("atm-1", row["username"])
        self.client().connect("nobody", code=0x87)

    def test_a_change_of_such_logins_holds_for_who_is_connected(self):
        users = self.certs / "users"
        users.write_text("")
        listener = MUTUAL.replace("fail_if_no_peer_cert = true", "")
        others = f'[auth.users]\nfile = "{users}"\n'

        def login(more):
            return self.text(listener,
                             "[auth.certificate]\nenable = true\n" + more)

        def ended(client):
            kind, _, body = client.receive()
            return (kind, body[0]) == (DISCONNECT, 0x87)
        self.start(listener, "[auth.certificate]\nenable = true\n" + others)
        first = self.client("atm-1").connect("first")
        self.broker.reload(login('[auth]\ntimeout = "3s"\n' + others))
        first.ping()  # nothing about it has changed
        self.broker.reload(login("user_must_exist = true\n" + others))
        self.assertTrue(ended(first))
        self.client("atm-1").connect("refused", code=0x87)
        self.broker.reload(login(others))
        second = self.client("atm-1").connect("second")
        self.broker.reload(login('user_name = "dn"\n' + others))
        self.assertTrue(ended(second))
        third = self.client("atm-1").connect("third")
        self.assertNotEqual("atm-1",
                            self.broker.ask("clients", "list")[0]["username"])
        self.broker.reload(self.text(listener, others))
        self.assertTrue(ended(third))
        self.client("atm-1").connect("refused", code=0x87)


class HandshakesTest(Secure):
    def test_who_stalls_gives_its_turn_to_the_next(self):
        self.start(more="[overload]\nmax_handshakes = 1\n")
        hello = ssl.MemoryBIO()
        stalled = ssl.create_default_context().wrap_bio(
            ssl.MemoryBIO(), hello, server_hostname="x")
        with self.assertRaises(ssl.SSLWantReadError):
            stalled.do_handshake()
        hello = hello.read()
        for _ in range(3):
            it = socket.create_connection(("127.0.0.1", self.port))
            self.addCleanup(it.close)
            it.sendall(hello[:20])
        began = time.monotonic()
        self.client().connect("patient").ping()
        took = time.monotonic() - began
        self.assertGreater(took, 1)  # they were before it
        self.assertLess(took, 8)     # not handshake_timeout of each
        it.sendall(hello[20:])  # who had stalled may go on
        it.settimeout(5)
        self.assertEqual(b"\x16", it.recv(1))

    def test_half_ones_end_and_nobody_waits_for_them(self):
        self.start(more='handshake_timeout = "1s"\n')
        hello = ssl.MemoryBIO()
        ssl.create_default_context().wrap_bio(
            ssl.MemoryBIO(), hello, server_hostname="x")
        silent = [socket.create_connection(("127.0.0.1", self.port), 10)
                  for _ in range(20)]
        side = tls_context(self.certs / "ca.pem").wrap_bio(
            ssl.MemoryBIO(), hello, server_hostname="localhost")
        with self.assertRaises(ssl.SSLWantReadError):
            side.do_handshake()
        first = hello.read()
        for i, one in enumerate(silent):
            self.addCleanup(one.close)
            if i % 2:
                one.sendall(first if i % 4 == 1 else first[:7])
        began = time.monotonic()
        self.client().connect("served").ping()
        self.assertLess(time.monotonic() - began, 1)
        for one in silent:
            while one.recv(4096):
                pass  # its end of the handshake
        self.assertEqual(20, self.broker.metric(
            "troupe_connections_handshake_timeout"))
        self.assertIn("does not go on with its handshake", self.broker.log())

    def test_who_looks_whether_the_port_is_open_is_no_failure(self):
        self.start()

        def failed():
            return self.broker.metric("troupe_connections_handshake_failed")
        for sent in (b"", b"\x16\x03\x01"):
            for linger in (0, 1):
                with socket.create_connection(("127.0.0.1", self.port)) as it:
                    it.sendall(sent)
                    it.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                                  struct.pack("ii", linger, 0))
        wait_until(lambda: failed() == 2, "half ones are not counted")
        self.client().connect("next").ping()
        self.assertEqual(2, failed())
        self.assertEqual(2, self.broker.log().count("handshake.failed"))

    def test_what_is_no_tls_is_refused(self):
        self.start()
        with Client(self.port) as plain:
            plain.send(0x10, b"\0\4MQTT\5\2\0\0\0\0\0")
            self.assertIn((plain.receive() or (None,))[0], (None, 1))
        wait_until(lambda: "handshake.failed" in self.broker.log(),
                   self.broker.log())
        self.client().connect("next").ping()

    def test_renegotiation_is_refused(self):
        self.start()
        answer = subprocess.Popen(
            ["openssl", "s_client", "-tls1_2", "-connect",
             f"127.0.0.1:{self.port}"], stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        self.addCleanup(answer.stdout.close)
        self.addCleanup(answer.stdin.close)
        answer.stdin.write(b"R\n")
        answer.stdin.flush()
        try:
            output, _ = answer.communicate(timeout=60)
        finally:
            answer.kill()
        self.assertIn(b"no renegotiation", output)


class ReloadTest(Secure):
    def serial(self):
        with socket.create_connection(("127.0.0.1", self.port), 10) as raw:
            with tls_context(self.certs / "ca.pem").wrap_socket(
                    raw, server_hostname="localhost") as it:
                return it.getpeercert()["serialNumber"]

    def new_server(self):
        for name in "server.pem", "server.key":
            (self.certs / name).unlink()
        authority.make(self.certs)

    def test_nobody_is_dropped(self):
        self.start()
        old = self.client().connect("old")
        before = self.serial()
        self.new_server()
        self.broker.reload()
        self.assertNotEqual(before, self.serial())
        old.ping()
        self.client().connect("new").ping()
        self.assertEqual(self.port, self.broker.port_of("ssl:default"))

    def test_a_broken_file_changes_nothing_and_is_named(self):
        self.start(MUTUAL)
        old = self.client("atm-1").connect("old")
        key = (self.certs / "server.key").read_text()
        for file, text, why in (
                ("server.pem", "nothing", "holds no certificate in PEM form"),
                ("server.key", "nothing", "holds no private key"),
                ("server.key", (self.certs / "atm-1.key").read_text(),
                 "is not the key of the certificate"),
                ("ca.pem", "", "holds no certificates of authorities"),
                ("crl.pem", "-----BEGIN X509 CRL-----\nAA==\n"
                 "-----END X509 CRL-----\n", "is damaged"),
                ("server.pem", None, "cannot be read: No such file")):
            with self.subTest(file=file, why=why):
                path = self.certs / file
                was = path.read_text()
                path.write_text(text) if text is not None else path.unlink()
                # Rules of the same reload do not take effect either.
                log = self.broker.reload(
                    self.text(MUTUAL, "[mqtt]\nmax_qos_allowed = 0\n"),
                    good=False)
                path.write_text(was)
                self.assertIn(why, log)
                self.assertIn(str(path), log)
                self.assertIn("listeners.ssl.default.ssl_options", log)
                old.ping()
                with self.client("atm-1") as new:
                    new.connect("new").subscribe("x", 2, code=2)
        self.assertEqual(key, (self.certs / "server.key").read_text())

    def test_a_start_with_a_broken_file_says_why(self):
        (self.certs / "server.key").write_text("nothing")
        with self.assertRaises(AssertionError) as told:
            self.start()
        self.assertIn("server.key: holds no private key", str(told.exception))


class OcspTest(Secure):
    """The responder is that of openssl(1ssl)."""

    def setUp(self):
        super().setUp()
        self.root = authority.Authority(self.certs / "ocsp")
        leaf = self.root.sign("server", "/CN=localhost", "server")
        authority.together(self.certs / "server.pem", leaf[0], self.root.pem)
        shutil.copy(leaf[1], self.certs / "server.key")
        shutil.copy(self.root.pem, self.certs / "ca.pem")
        self.leaf = leaf[0]

    def respond(self, port, days=1):
        process = subprocess.Popen(
            ["openssl", "ocsp", "-port", str(port), "-index",
             self.root.path("index.txt"), "-CA", self.root.pem, "-rsigner",
             self.root.pem, "-rkey", self.root.key, "-ndays", str(days)],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT)

        def end():
            process.kill()
            process.wait()
            process.stdout.close()
        self.addCleanup(end)
        # It serves one connection after the other: none to try it.
        for line in process.stdout:
            if b"waiting for OCSP client connections" in line:
                break
        return end

    def status(self):
        return subprocess.run(
            ["openssl", "s_client", "-status", "-connect",
             f"127.0.0.1:{self.port}", "-CAfile", self.certs / "ca.pem"],
            input=b"", capture_output=True, timeout=60).stdout.decode()

    def stapled(self):
        return "Cert Status: good" in self.status()

    def test_a_response_is_fetched_and_stapled(self):
        port = free_port()
        url = f'ocsp.responder_url = "http://127.0.0.1:{port}/x"\n'
        self.start(more=url + 'ocsp.refresh_interval = "1s"\n')
        wait_until(lambda: self.broker.metric(
            "troupe_ocsp_response_failed") > 0, "no failure is counted")
        self.assertIn("no OCSP response for ssl:default", self.broker.log())
        self.assertFalse(self.stapled())
        end = self.respond(port)
        wait_until(self.stapled, "nothing is stapled")
        self.client().connect("any").ping()
        end()
        failed = self.broker.metric("troupe_ocsp_response_failed")
        wait_until(lambda: self.broker.metric(
            "troupe_ocsp_response_failed") > failed, "no failure is counted")
        self.assertTrue(self.stapled())  # what was is kept
        self.broker.reload()
        self.assertTrue(self.stapled())

    def test_one_that_says_revoked_is_not_shown(self):
        port = free_port()
        self.root.revoke(self.leaf)
        self.respond(port)
        self.start(more=f'ocsp.responder_url = "http://127.0.0.1:{port}"\n')
        wait_until(lambda: "says that the certificate is revoked"
                   in self.broker.log(), self.broker.log())
        self.assertFalse(self.stapled())

    def test_a_responder_that_is_silent_is_given_up(self):
        with socket.create_server(("127.0.0.1", 0)) as silent:
            url = f"http://127.0.0.1:{silent.getsockname()[1]}"
            self.start(more=f'ocsp.responder_url = "{url}"\n'
                       'ocsp.refresh_http_timeout = "100ms"\n')
            wait_until(lambda: "does not answer in time"
                       in self.broker.log(), self.broker.log())
            self.assertEqual(0, self.broker.end())

    def test_a_file_is_stapled(self):
        request, file = self.certs / "request", self.certs / "response"
        authority.openssl("ocsp", "-issuer", self.root.pem, "-cert",
                          self.leaf, "-reqout", request, "-no_nonce")
        authority.openssl("ocsp", "-index", self.root.path("index.txt"),
                          "-CA", self.root.pem, "-rsigner", self.root.pem,
                          "-rkey", self.root.key, "-ndays", "1", "-reqin",
                          request, "-respout", file)
        self.start(more=f'ocsp.file = "{file}"\n')
        self.assertTrue(self.stapled())
        file.write_text("nothing")
        self.assertIn(f"{file}: is no OCSP response",
                      self.broker.reload(good=False))
        self.assertTrue(self.stapled())


class CommandTest(unittest.TestCase):
    def setUp(self):
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="troupe-certs-"))
        self.addCleanup(shutil.rmtree, self.directory, ignore_errors=True)
        self.at = self.directory / "certs"

    def refused(self, why, *words, code=2):
        before = {x.name: x.read_bytes() for x in self.at.glob("*")}
        answer = troupe("certs", self.at, *words)
        self.assertEqual(code, answer.returncode)
        self.assertIn(why, answer.stderr)
        self.assertEqual(before, {x.name: x.read_bytes()
                                  for x in self.at.glob("*")})

    def test_keys_are_for_their_owner_alone(self):
        authority.make(self.at, "--client", "alice")
        for path in self.at.iterdir():
            self.assertEqual(0o600 if path.suffix == ".key" else 0o644,
                             path.stat().st_mode & 0o777, path)

    def test_certificates_are_what_openssl_calls_good(self):
        authority.make(self.at, "--client", "alice", "--name",
                       "broker.example.org", "--name", "10.0.0.7", "--days",
                       "9")
        for name, purpose in (("server", "sslserver"), ("alice", "sslclient")):
            authority.openssl("verify", "-x509_strict", "-purpose", purpose,
                              "-CAfile", self.at / "ca.pem", "-crl_check",
                              "-CRLfile", self.at / "crl.pem",
                              self.at / (name + ".pem"))
        text = authority.openssl("x509", "-in", self.at / "server.pem",
                                 "-noout", "-text").stdout.decode()
        self.assertIn("DNS:broker.example.org, IP Address:10.0.0.7", text)
        self.assertIn("ASN1 OID: prime256v1", text)

    def test_it_can_be_given_again(self):
        authority.make(self.at)
        before = (self.at / "server.pem").read_text()
        authority.make(self.at, "--client", "bob")
        authority.make(self.at, "--revoke", "bob", "--client", "eve")
        authority.make(self.at, "--revoke", "bob")
        self.assertEqual(before, (self.at / "server.pem").read_text())
        text = authority.openssl("crl", "-in", self.at / "crl.pem", "-noout",
                                 "-text").stdout.decode()
        self.assertEqual(1, text.count("Serial Number"))

    def test_mistakes_are_named_and_nothing_is_made(self):
        self.refused("neither a name of a host", "--name", "a b")
        self.refused("no name for a client here", "--client", "../x")
        self.refused("the name of other files", "--client", "ca")
        self.refused("nobody.pem is not there", "--revoke", "nobody")
        self.refused("twice", "--client", "a", "--client", "a")
        authority.make(self.at, "--client", "alice")
        self.refused("alice.pem is there already", "--client", "alice")
        (self.at / "ca.key").write_text("nothing")
        self.refused("its key is no PEM", "--client", "bob")
        (self.at / "ca.key").unlink()
        self.refused("ca.key is missing", "--client", "bob")
        self.at = self.directory / "file" / "below"
        (self.directory / "file").touch()
        self.refused("Not a directory", code=4)


if __name__ == "__main__":
    unittest.main()
