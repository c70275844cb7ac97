"""Certificates for tests: those of `troupe certs`, and wrong ones."""

import pathlib
import subprocess

from broker import troupe

EXTENSIONS = """
[client]
basicConstraints = critical, CA:FALSE
keyUsage = critical, digitalSignature
extendedKeyUsage = clientAuth
[server]
basicConstraints = critical, CA:FALSE
keyUsage = critical, digitalSignature
extendedKeyUsage = serverAuth
subjectAltName = DNS:localhost, IP:127.0.0.1
[authority]
basicConstraints = critical, CA:TRUE
keyUsage = critical, keyCertSign, cRLSign
subjectKeyIdentifier = hash
[ca]
default_ca = any
[any]
database = {directory}/index.txt
new_certs_dir = {directory}
default_md = sha256
policy = policy
rand_serial = yes
unique_subject = no
default_crl_days = 30
[policy]
commonName = supplied
organizationName = optional
"""


def openssl(*words, **more):
    return subprocess.run(["openssl", *map(str, words)], check=True,
                          capture_output=True, timeout=60, **more)


def make(directory, *words):
    answer = troupe("certs", directory, *words)
    assert answer.returncode == 0, answer.stderr
    return pathlib.Path(directory)


class Authority:
    """Signs by openssl(1ssl) whatever it is told to."""

    def __init__(self, directory, name="Other authority"):
        self.directory = pathlib.Path(directory)
        self.directory.mkdir(parents=True, exist_ok=True)
        (self.directory / "index.txt").touch()
        self.config = self.directory / "openssl.cnf"
        self.config.write_text(EXTENSIONS.format(directory=directory))
        self.pem, self.key = self.self_signed("ca", name, "authority")

    def path(self, name):
        return self.directory / name

    def _key(self, name):
        key = self.path(name + ".key")
        openssl("genpkey", "-algorithm", "EC", "-pkeyopt",
                "ec_paramgen_curve:P-256", "-out", key)
        return key

    def self_signed(self, name, subject, extensions="client"):
        key, pem = self._key(name), self.path(name + ".pem")
        openssl("req", "-new", "-x509", "-key", key, "-subj",
                "/CN=" + subject, "-days", "30", "-out", pem,
                "-config", self._request_config(), "-extensions", extensions)
        return pem, key

    def _request_config(self):
        path = self.path("request.cnf")
        path.write_text("[req]\ndistinguished_name = dn\n[dn]\n"
                        + self.config.read_text())
        return path

    def sign(self, name, subject, extensions="client", start=None, end=None,
             by=None):
        """@param start, end  as in 20200101000000Z
        @param by  (certificate, key) in place of the authority's"""
        key, pem = self._key(name), self.path(name + ".pem")
        request = self.path(name + ".csr")
        openssl("req", "-new", "-key", key, "-subj", subject, "-out", request,
                "-config", self._request_config())
        words = []
        words += ["-startdate", start] if start else []
        words += ["-enddate", end] if end else ["-days", "20"]
        issuer, issuer_key = by or (self.pem, self.key)
        openssl("ca", "-batch", "-notext", "-config", self.config, "-name",
                "any", "-cert", issuer, "-keyfile", issuer_key, "-in", request,
                "-out", pem, "-extensions", extensions, *words)
        return pem, key

    def revoke(self, pem):
        openssl("ca", "-config", self.config, "-name", "any", "-cert",
                self.pem, "-keyfile", self.key, "-revoke", pem)

    def revoked(self, by=None):
        """@returns the list, signed now."""
        issuer, key = by or (self.pem, self.key)
        to = self.path("crl-" + pathlib.Path(issuer).name)
        openssl("ca", "-config", self.config, "-name", "any", "-cert", issuer,
                "-keyfile", key, "-gencrl", "-out", to)
        return to


def together(to, *files):
    """Their text in one file."""
    pathlib.Path(to).write_text("".join(pathlib.Path(x).read_text()
                                        for x in files))
    return to
