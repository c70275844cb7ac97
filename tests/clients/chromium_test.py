#!/usr/bin/env python3
"""MQTT.js in headless Chromium, over WSS, from a page that may and one that
may not.

Left out, with exit code 77, where Chromium, MQTT.js or browserify is missing.
"""

import base64
import hashlib
import http.server
import json
import os
import pathlib
import queue
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import urllib.parse

HERE = pathlib.Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "server"))
from broker import Broker, wait_until  # noqa: E402
from tls_files import TlsFiles, openssl  # noqa: E402

PATIENCE = 60


def bundle(to):
    """MQTT.js for browsers, as its own build makes it."""
    for place in os.environ.get("NODE_PATH", "").split(":"):
        source = pathlib.Path(place) / "mqtt" / "mqtt.js"
        if place and source.exists():
            subprocess.run(["browserify", source, "--standalone", "mqtt",
                            "--outfile", to], check=True, timeout=PATIENCE)
            return True
    return False


def pin(files):
    """The one certificate that Chromium takes without knowing its authority:
    the hash of its public key."""
    openssl("x509", "-in", files.certificate, "-noout", "-pubkey", "-out",
            "public.pem", directory=files.directory)
    openssl("pkey", "-pubin", "-in", "public.pem", "-outform", "DER",
            "-out", "public.der", directory=files.directory)
    key = (files.directory / "public.der").read_bytes()
    return base64.b64encode(hashlib.sha256(key).digest()).decode()


class Pages(http.server.ThreadingHTTPServer):
    """The page, its script, and what it tells."""

    def __init__(self, directory):
        results = self.results = queue.Queue()

        class Handler(http.server.SimpleHTTPRequestHandler):
            def __init__(self, *words):
                super().__init__(*words, directory=directory)

            def do_POST(self):
                size = int(self.headers["Content-Length"])
                results.put(json.loads(self.rfile.read(size)))
                self.send_response(204)
                self.end_headers()

            def log_message(self, *_):
                pass

        super().__init__(("127.0.0.1", 0), Handler)
        self.origin = f"http://127.0.0.1:{self.server_address[1]}"
        threading.Thread(target=self.serve_forever, daemon=True).start()


def visit(pages, url, version, key, scratch):
    """@returns what the page told."""
    profile = tempfile.mkdtemp(prefix="profile-", dir=scratch)
    ask = urllib.parse.urlencode({"url": url, "version": version})
    log = open(pathlib.Path(scratch) / "chromium.log", "ab")
    browser = subprocess.Popen(
        ["chromium", "--headless", "--no-sandbox", "--disable-gpu",
         "--disable-dev-shm-usage", "--no-first-run", "--no-proxy-server",
         "--disable-background-networking", f"--user-data-dir={profile}",
         f"--ignore-certificate-errors-spki-list={key}",
         f"{pages.origin}/chromium_page.html?{ask}"],
        stdin=subprocess.DEVNULL, stdout=log, stderr=log,
        start_new_session=True)
    try:
        return pages.results.get(timeout=PATIENCE)
    except queue.Empty:
        log.flush()
        text = pathlib.Path(log.name).read_text(errors="replace")
        raise AssertionError("the page tells nothing:\n" + text[-3000:])
    finally:
        log.close()
        os.killpg(browser.pid, signal.SIGKILL)  # its helpers, too
        browser.wait()


def main():
    for program in ("chromium", "browserify", "openssl"):
        if not shutil.which(program):
            print(f"left out: {program} is not installed")
            return 77
    with tempfile.TemporaryDirectory(prefix="troupe-test-",
                                     ignore_cleanup_errors=True) as scratch:
        web = pathlib.Path(scratch) / "web"
        web.mkdir()
        shutil.copy(HERE / "chromium_page.html", web)
        if not bundle(web / "mqtt.js"):
            print("left out: node-mqtt is not installed, or not in NODE_PATH")
            return 77
        files = TlsFiles(pathlib.Path(scratch) / "tls")
        pages = Pages(str(web))
        section = "listeners.wss.{}.websocket.check_origins={}"
        with Broker(*files.settings("wss.ours"), *files.settings("wss.other"),
                    section.format("ours", pages.origin),
                    section.format("other", "https://elsewhere.example"),
                    http=True) as broker:
            url = "wss://127.0.0.1:{}/mqtt"
            key = pin(files)
            for version in (4, 5):
                told = visit(pages, url.format(broker.port_of("wss:ours")),
                             version, key, scratch)
                assert told == {"what": "done", "steps": [
                    "connected", "granted 2", "took 50"]}, told
                print(f"ok      a page, MQTT version {version}")
            told = visit(pages, url.format(broker.port_of("wss:other")), 5,
                         key, scratch)
            assert told["steps"] == [], told
            assert pages.origin in broker.log() or "origin" in broker.log()
            print("ok      a page of another origin")
            wait_until(lambda: not broker.ask("clients", "list"),
                       "a page stays")
            # A certificate that is not pinned is not taken.
            told = visit(pages, url.format(broker.port_of("wss:ours")), 5,
                         base64.b64encode(bytes(32)).decode(), scratch)
            assert told["steps"] == [], told
            print("ok      a broker that the browser does not know")
        pages.shutdown()
        pages.server_close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
