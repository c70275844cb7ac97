"""Packages, made of the program of the build folder."""

import os
import pathlib
import subprocess


def run(*command, check=True, **more):
    answer = subprocess.run([*map(str, command)], capture_output=True,
                            text=True, timeout=200, **more)
    assert not check or answer.returncode == 0, \
        f"{command}: {answer.stdout}{answer.stderr}"
    return answer


def make_package(folder, version):
    """@returns the path of the package, in `folder`."""
    at = pathlib.Path(folder, version)
    run(os.environ["TROUPE_CPACK"], "--config",
        pathlib.Path(os.environ["TROUPE_BUILD_DIR"], "CPackConfig.cmake"),
        "-G", "DEB", "-B", at, "-D", f"CPACK_PACKAGE_VERSION={version}")
    package, = at.glob("*.deb")
    return package
