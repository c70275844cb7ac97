#!/usr/bin/env python3
"""Makes certificates for tests and benchmarks: an authority, a server's
certificate for 127.0.0.1, ::1 and localhost, and one for each client. All keys
are ECDSA P-256; nothing is protected by a password.

usage: make_certs.py FOLDER [CLIENT...]

writes ca.pem, server.pem, server.key and CLIENT.pem, CLIENT.key
"""

import pathlib
import subprocess
import sys

DAYS = 30
SERVER_NAMES = "IP:127.0.0.1,IP:::1,DNS:localhost"


class CertificateError(Exception):
    """What openssl says."""


def openssl(*args):
    done = subprocess.run(["openssl", *map(str, args)], capture_output=True,
                          text=True, stdin=subprocess.DEVNULL)
    if done.returncode != 0:
        raise CertificateError(f"openssl {args[0]} ended with "
                               f"{done.returncode}:\n{done.stderr}")


def make_key(file: pathlib.Path):
    openssl("genpkey", "-algorithm", "EC", "-pkeyopt",
            "ec_paramgen_curve:P-256", "-out", file)


def issue(folder: pathlib.Path, name: str, subject: str, extensions: str):
    """name.pem and name.key, signed by the folder's authority."""
    make_key(folder / f"{name}.key")
    request, more = folder / f"{name}.csr", folder / f"{name}.ext"
    more.write_text(extensions)
    openssl("req", "-new", "-key", folder / f"{name}.key", "-subj", subject,
            "-out", request)
    openssl("x509", "-req", "-in", request, "-days", DAYS,
            "-CA", folder / "ca.pem", "-CAkey", folder / "ca.key",
            "-CAcreateserial", "-extfile", more,
            "-out", folder / f"{name}.pem")
    request.unlink()
    more.unlink()


def make_certificates(folder: pathlib.Path, clients=()):
    folder.mkdir(parents=True, exist_ok=True)
    make_key(folder / "ca.key")
    openssl("req", "-x509", "-new", "-key", folder / "ca.key", "-days", DAYS,
            "-subj", "/CN=authority of a test", "-out", folder / "ca.pem")
    issue(folder, "server", "/CN=localhost",
          f"subjectAltName={SERVER_NAMES}\nextendedKeyUsage=serverAuth\n"
          "keyUsage=critical,digitalSignature\n")
    for name in clients:
        issue(folder, name, f"/CN={name}",
              "extendedKeyUsage=clientAuth\n"
              "keyUsage=critical,digitalSignature\n")


if __name__ == "__main__":
    if len(sys.argv) < 2 or sys.argv[1].startswith("-"):
        raise SystemExit(__doc__)
    try:
        make_certificates(pathlib.Path(sys.argv[1]), sys.argv[2:])
    except (CertificateError, OSError) as error:
        raise SystemExit(f"make_certs: {error}") from None
