#!/usr/bin/env python3
"""The life of the package: install, run, upgrade, remove, purge.

With dpkg itself, on a machine of the test's own (see machine.py), whose
service manager is the test: it makes the directories of the unit and starts
the unit's own command as the unit's own user."""

import itertools
import os
import pathlib
import pwd
import re
import resource
import signal
import subprocess
import tempfile
import unittest

import machine
from broker import Client, wait_until
from debian import make_package
from notify import Manager
from unit_file import Unit

KINDS = {"StateDirectory": "/var/lib", "RuntimeDirectory": "/run",
         "LogsDirectory": "/var/log"}
OLD, NEW = "0.1.0", "0.1.1"
SYSTEMCTL = """#!/bin/sh
# Links of units are its business without a systemd, too.
case " $* " in
  *" --root=/ "*) exec /usr/bin/systemctl.real "$@" ;;
  *" is-enabled "*) echo enabled ;;
esac
echo "$*" >>/systemctl.log
"""


def setUpModule():
    global packages
    folder = tempfile.TemporaryDirectory(prefix="troupe-test-")
    unittest.addModuleCleanup(folder.cleanup)
    before = users()
    try:
        machine.separate()
        machine.Machine().close()
    except machine.Unavailable as why:
        raise unittest.SkipTest("a machine of the test's own cannot be made: "
                                f"{why}") from why
    packages = {x: make_package(folder.name, x) for x in (OLD, NEW)}
    unittest.addModuleCleanup(lambda: nothing_stays(before))


def users():
    return {x.pw_name for x in pwd.getpwall()}


def nothing_stays(before):
    """On this machine."""
    assert users() == before, users() - before


def limit_files(wanted, most):
    """A container may forbid to raise what it was given."""
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, wanted))
    except (OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


class Service:
    """The unit, started by a service manager that is the test."""

    def __init__(self, on):
        self.on = on
        unit = Unit(on.path("/lib/systemd/system/troupe.service"))
        user = unit["User"]
        for key, parent in KINDS.items():
            at = f"{parent}/{unit[key]}"
            on.run("install", "-d", "-o", user, "-g", unit["Group"], "-m",
                   unit[key + "Mode"], at)
        # Its address has to mean the same on both machines.
        self.manager = Manager(abstract=True)
        command = ["chroot", str(on.root), "env", "-C",
                   unit["WorkingDirectory"], "setpriv", f"--reuid={user}",
                   f"--regid={unit['Group']}", "--init-groups",
                   "--no-new-privs", "--bounding-set=-all", "--inh-caps=-all",
                   *unit.command()]
        files = int(unit["LimitNOFILE"])
        most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        self.log = on.at / "log"
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                umask=int(unit["UMask"], 8),
                preexec_fn=lambda: limit_files(files, most),
                env={"PATH": "/usr/sbin:/usr/bin",
                     **self.manager.environment(
                         unit.seconds("WatchdogSec"))})

    def wait_until_ready(self):
        try:
            self.manager.expect("READY")
        except AssertionError as why:
            self.stop()
            raise AssertionError(self.log.read_text()) from why
        return self

    def stop(self):
        """@returns the exit code"""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise
        finally:
            self.manager.close()

    def __enter__(self):
        return self.wait_until_ready()

    def __exit__(self, *_):
        self.stop()


class InstallTest(unittest.TestCase):
    def setUp(self):
        self.on = machine.Machine()
        self.addCleanup(self.on.close)

    def install(self, version=OLD):
        return self.on.dpkg("-i", packages[version])

    def as_user(self, name, *command):
        return self.on.run("setpriv", f"--reuid={name}", f"--regid={name}",
                           "--init-groups", *command, check=False)

    def names_of_ours(self):
        """What is there beyond the machine as it was."""
        upper = self.on.at / "upper"
        return {"/" + str(x.relative_to(upper)) for x in upper.rglob("*")
                if "troupe" in x.name and not x.is_char_device()}

    def test_an_installation_has_its_user_and_directories(self):
        self.install()
        entry = self.on.run("getent", "passwd", "troupe").stdout.split(":")
        self.assertLess(int(entry[2]), 1000)
        self.assertEqual(["/var/lib/troupe", "/usr/sbin/nologin"],
                         [entry[5], entry[6].strip()])
        self.assertEqual("troupe:troupe 750", self.on.owner("/var/lib/troupe"))
        self.assertEqual("troupe:troupe 750", self.on.owner("/var/log/troupe"))
        self.assertEqual("root:troupe 750", self.on.owner("/etc/troupe"))
        self.assertEqual("install ok installed", self.on.run(
            "dpkg-query", "-W", "-f", "${Status}", "troupe").stdout)
        answer = self.on.run("systemd-analyze", "verify",
                             "/lib/systemd/system/troupe.service")
        self.assertEqual("", answer.stderr)
        manual = self.on.run("man", "-w", "troupe", "troupe.toml").stdout
        self.assertEqual(2, len(manual.splitlines()), manual)

    def test_it_runs_is_upgraded_with_its_data_removed_and_purged(self):
        self.install()
        config = self.on.path("/etc/troupe/troupe.toml")
        with Service(self.on) as service:
            with Client(1883).connect("away", clean=False,
                                      expiry=86_400) as client:
                client.subscribe("orders/#", 1)
            with Client(1883).connect("shop") as client:
                self.assertEqual(0, client.publish_acked("orders/4", b"tea"))
                self.assertLess(client.publish_acked("sign", b"open",
                                                     retain=True), 0x80)
            self.assertEqual("troupe:troupe 600", self.on.owner(
                "/var/lib/troupe/troupe.lock"))
            status = pathlib.Path(f"/proc/{service.process.pid}/status")
            self.assertRegex(status.read_text(), r"CapEff:\s+0+\n")
            self.on.run("troupe", "ctl", "backup", "/var/lib/troupe/copy")
            self.assertEqual(0, service.stop())
        # The operator's change outlives the upgrade.
        config.write_text(config.read_text() + "\n[retainer]\n"
                          "max_retained_messages = 1\n")
        self.assertNotIn("Configuration file", self.install(NEW).stdout)
        self.assertIn("max_retained_messages", config.read_text())
        self.assertEqual(NEW, self.on.run("dpkg-query", "-W", "-f",
                                          "${Version}", "troupe").stdout)
        with Service(self.on) as service:
            with Client(1883).connect("away", clean=False,
                                      expiry=86_400) as client:
                self.assertTrue(client.session_present)
                self.assertEqual([("orders/4", b"tea")], client.take(1))
            with Client(1883).connect("shop") as client:
                client.subscribe("sign", 1)
                self.assertEqual([("sign", b"open")], client.take(1))
            self.assertEqual(0, service.stop())

        again = ("--data-dir", "/var/lib/troupe/again")
        restored = self.as_user("troupe", "troupe", "restore",
                                "/var/lib/troupe/copy", *again)
        self.assertEqual(0, restored.returncode, restored.stderr)
        checked = self.as_user("troupe", "troupe", "data", "check", *again)
        self.assertEqual(0, checked.returncode, checked.stderr)

        self.on.dpkg("-r", "troupe")
        self.assertFalse(self.on.path("/usr/bin/troupe").exists())
        self.assertIn("max_retained_messages", config.read_text())
        self.assertTrue(self.on.path("/var/lib/troupe/state.db").exists())

        self.on.dpkg("-P", "troupe")
        for x in ("/etc/troupe", "/var/lib/troupe", "/var/log/troupe",
                  "/lib/systemd/system/troupe.service"):
            self.assertFalse(os.path.lexists(self.on.path(x)), x)
        self.assertNotEqual(0, self.on.run("dpkg", "-s", "troupe",
                                           check=False).returncode)
        self.assertEqual(set(), self.names_of_ours())

    def test_removed_and_installed_again_it_has_its_data(self):
        self.install()
        with Service(self.on), Client(1883).connect("c") as client:
            client.publish_acked("sign", b"open", retain=True)
        self.on.dpkg("-r", "troupe")
        self.install()
        with Service(self.on), Client(1883).connect("c") as client:
            client.subscribe("sign", 1)
            self.assertEqual([("sign", b"open")], client.take(1))

    def test_troupe_ctl_is_for_the_group(self):
        self.install()
        for user in ("operator", "stranger"):
            self.on.run("useradd", "-U", "t-" + user)
        self.on.run("usermod", "-a", "-G", "troupe", "t-operator")
        with Service(self.on):
            self.assertEqual("troupe:troupe 660",
                             self.on.owner("/run/troupe/troupe.sock"))
            for words in ((), ("--config", "/etc/troupe/troupe.toml")):
                answer = self.as_user("t-operator", "troupe", "ctl", *words,
                                      "status")
                self.assertEqual(0, answer.returncode, answer.stderr)
                self.assertIn("is running", answer.stdout)
            answer = self.as_user("t-stranger", "troupe", "ctl", "status")
            self.assertEqual(4, answer.returncode)
            self.assertIn("/run/troupe/troupe.sock is not for you",
                          answer.stderr)

    def test_rights_that_the_operator_chose_stay(self):
        self.install()
        self.on.run("dpkg-statoverride", "--update", "--add", "root", "root",
                    "0700", "/etc/troupe")
        self.install(NEW)
        self.assertEqual("root:root 700", self.on.owner("/etc/troupe"))

    def systemctl(self):
        """What it was told since the last call, but for questions, and for
        repetitions: a trigger of systemd's own package reloads, too."""
        log = self.on.path("/systemctl.log")
        text = log.read_text() if log.exists() else ""
        log.unlink(missing_ok=True)
        told = [re.sub(r"--(quiet|system) ", "", x) for x in text.splitlines()
                if not re.search(r"is-(enabled|active)|show", x)]
        return [x for x, _ in itertools.groupby(told)]

    def test_a_systemd_that_runs_is_told(self):
        self.on.path("/run/systemd/system").mkdir(parents=True, exist_ok=True)
        stub = self.on.path("/usr/bin/systemctl")
        stub.rename(self.on.path("/usr/bin/systemctl.real"))
        stub.write_text(SYSTEMCTL)
        stub.chmod(0o755)
        self.install()
        self.assertEqual(["daemon-reload", "start troupe.service"],
                         self.systemctl())
        link = self.on.path(
            "/etc/systemd/system/multi-user.target.wants/troupe.service")
        self.assertTrue(os.path.lexists(link))
        # One that the operator has stopped does not start with an upgrade.
        self.install(NEW)
        self.assertEqual(["daemon-reload", "try-restart troupe.service"],
                         self.systemctl())
        self.on.dpkg("-r", "troupe")
        self.assertEqual(["stop troupe.service", "daemon-reload"],
                         self.systemctl())
        self.on.dpkg("-P", "troupe")
        self.assertFalse(os.path.lexists(link))
        self.assertEqual(set(), self.names_of_ours())

    def test_a_unit_that_the_operator_disabled_stays_so(self):
        self.install()
        link = self.on.path(
            "/etc/systemd/system/multi-user.target.wants/troupe.service")
        self.assertTrue(os.path.lexists(link))
        link.unlink()
        self.install(NEW)
        self.assertFalse(os.path.lexists(link))

    def test_a_wrong_configuration_is_told_and_not_tried_again(self):
        self.install()
        config = self.on.path("/etc/troupe/troupe.toml")
        config.write_text(config.read_text().replace("bind", "bnid", 1))
        service = Service(self.on)
        try:
            wait_until(lambda: service.process.poll() is not None,
                       "it does not end")
        finally:
            code = service.stop()
        unit = Unit(self.on.path("/lib/systemd/system/troupe.service"))
        self.assertIn(str(code), unit.words("RestartPreventExitStatus"))
        self.assertIn("/etc/troupe/troupe.toml:", service.log.read_text())


if __name__ == "__main__":
    unittest.main(verbosity=2)
