#!/usr/bin/env python3
"""What is in the Debian package."""

import gzip
import pathlib
import shutil
import tempfile
import unittest

from broker import troupe
from debian import make_package, run


class PackageTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        for tool in ("dpkg-deb", "dpkg-shlibdeps", "cpack"):
            if not shutil.which(tool):
                raise unittest.SkipTest(f"there is no {tool}: install "
                                        "dpkg-dev and cmake")
        folder = tempfile.TemporaryDirectory(prefix="troupe-test-")
        cls.addClassCleanup(folder.cleanup)
        cls.package = make_package(folder.name, "0.1.0")
        cls.root = pathlib.Path(folder.name, "root")
        run("dpkg-deb", "-x", cls.package, cls.root)
        cls.control = pathlib.Path(folder.name, "control")
        run("dpkg-deb", "-e", cls.package, cls.control)

    def test_it_has_these_files_and_no_others(self):
        files = {"/" + str(x.relative_to(self.root)): x.stat().st_mode & 0o777
                 for x in self.root.rglob("*") if x.is_file()}
        program = files.pop("/usr/bin/troupe")
        self.assertEqual(0o755, program)
        self.assertEqual({0o644}, set(files.values()))
        share = "/usr/share/"
        self.assertEqual({
            "/etc/troupe/troupe.toml",
            "/lib/systemd/system/troupe.service",
            "/usr/lib/sysusers.d/troupe.conf",
            share + "bash-completion/completions/troupe",
            share + "doc/troupe/CHANGELOG.md.gz",
            share + "doc/troupe/changelog.gz",
            share + "doc/troupe/copyright",
            share + "fish/vendor_completions.d/troupe.fish",
            share + "man/man1/troupe.1.gz",
            share + "man/man5/troupe.toml.5.gz",
            share + "zsh/vendor-completions/_troupe"}, set(files))

    def test_manuals_and_completions_are_what_the_program_prints(self):
        share = self.root / "usr" / "share"
        for file, words in (("man/man1/troupe.1.gz", ("man", "troupe")),
                            ("man/man5/troupe.toml.5.gz",
                             ("man", "troupe.toml"))):
            self.assertEqual(
                troupe(*words).stdout,
                gzip.decompress((share / file).read_bytes()).decode())
        for file, shell in (("bash-completion/completions/troupe", "bash"),
                            ("zsh/vendor-completions/_troupe", "zsh"),
                            ("fish/vendor_completions.d/troupe.fish",
                             "fish")):
            self.assertEqual(troupe("completion", shell).stdout,
                             (share / file).read_text())

    def test_what_the_operator_changes_is_a_conffile(self):
        self.assertEqual("/etc/troupe/troupe.toml\n",
                         (self.control / "conffiles").read_text())

    def test_it_depends_on_the_libraries_that_it_links(self):
        depends = run("dpkg-deb", "-f", self.package, "Depends").stdout
        for name in ("libc6", "librocksdb7.8", "libcaf-core", "systemd"):
            self.assertIn(name, depends)

    def test_the_program_is_stripped_and_runs(self):
        program = self.root / "usr" / "bin" / "troupe"
        self.assertIn("troupe 0.", run(program, "--version").stdout)
        self.assertNotIn(".debug_info", run("readelf", "-S",
                                            program).stdout)

    def test_maintainer_scripts_are_right_for_their_shell(self):
        for name in ("postinst", "prerm", "postrm"):
            run("sh", "-n", self.control / name)
            if shutil.which("shellcheck"):
                run("shellcheck", self.control / name)

    def test_lintian_finds_nothing(self):
        if not shutil.which("lintian"):
            self.skipTest("there is no lintian: install lintian")
        answer = run("lintian", "--allow-root", "--fail-on", "error,warning",
                     self.package, check=False)
        self.assertEqual((0, ""), (answer.returncode, answer.stdout))


if __name__ == "__main__":
    unittest.main()
