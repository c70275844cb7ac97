"""Certificates for tests, made with the program of OpenSSL."""

import pathlib
import ssl
import subprocess


def openssl(*words, directory):
    answer = subprocess.run(["openssl", *map(str, words)], cwd=directory,
                            capture_output=True, text=True)
    assert answer.returncode == 0, answer.stderr


class TlsFiles:
    """An authority, and a server's certificate for this machine."""

    def __init__(self, directory):
        self.directory = pathlib.Path(directory)
        self.directory.mkdir(exist_ok=True)
        self.ca = self.directory / "ca.pem"
        self.certificate = self.directory / "server.pem"
        self.key = self.directory / "server.key"
        key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
               "-nodes")
        openssl("req", "-x509", *key, "-days", 2, "-subj", "/CN=Test CA",
                "-keyout", "ca.key", "-out", "ca.pem", directory=directory)
        openssl("req", *key, "-subj", "/CN=localhost", "-keyout",
                "server.key", "-out", "server.csr", directory=directory)
        (self.directory / "extensions").write_text(
            "subjectAltName=DNS:localhost,IP:127.0.0.1,IP:::1\n"
            "extendedKeyUsage=serverAuth\n")
        openssl("x509", "-req", "-in", "server.csr", "-CA", "ca.pem",
                "-CAkey", "ca.key", "-CAcreateserial", "-days", 2,
                "-extfile", "extensions", "-out", "server.pem",
                directory=directory)

    def settings(self, listener, bind="127.0.0.1:0"):
        """@param listener  as in "wss.default"."""
        section = f"listeners.{listener}"
        return (f"{section}.bind={bind}",
                f"{section}.ssl_options.certfile={self.certificate}",
                f"{section}.ssl_options.keyfile={self.key}")

    def wrap(self, socket, name="localhost"):
        """The client's side of TLS."""
        context = ssl.create_default_context(cafile=str(self.ca))
        return context.wrap_socket(socket, server_hostname=name)
