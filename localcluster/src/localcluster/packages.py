"""Debian packages that a cluster needs."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from localcluster.commands import run
from localcluster.errors import LocalclusterError
from localcluster.files import locked
from localcluster.layout import cache_root

PROGRAMS = {
    "containerd": "containerd",
    "runc": "runc",
    "/usr/lib/cni/ptp": "containernetworking-plugins",
    "iptables": "iptables",
    "conntrack": "conntrack",
    "ip": "iproute2",
    "setpriv": "util-linux",
    "buildah": "buildah",
    "debootstrap": "debootstrap",
    "/usr/share/keyrings/debian-archive-keyring.gpg": "debian-archive-keyring",
    "docker-registry": "docker-registry",
    "gcc": "gcc",
    "/usr/include/unistd.h": "libc6-dev",
}
"""Programs, by name or path, and the packages that bring them."""

POLICY = Path("/usr/sbin/policy-rc.d")
POLICY_TEXT = (
    "#!/bin/sh\n# localcluster: no daemon starts while its packages are installed\nexit 101\n"
)


def missing_packages() -> list[str]:
    """Packages whose programs are not on this machine."""
    return sorted({package for program, package in PROGRAMS.items() if not _is_there(program)})


def _is_there(program: str) -> bool:
    return Path(program).exists() if program.startswith("/") else shutil.which(program) is not None


def install(packages: list[str], log: Path) -> None:
    """Install packages by apt, without starting their daemons.

    Raises:
        LocalclusterError: this is not a Debian or Ubuntu, or we are not root.
    """
    command = f"apt-get install --no-install-recommends {' '.join(packages)}"
    if shutil.which("apt-get") is None or os.geteuid() != 0:
        raise LocalclusterError(
            f"missing on this machine: {' '.join(packages)}.\n"
            f"On Debian or Ubuntu, as root: {command}\n"
            "Elsewhere, install the packages that bring the same programs."
        )
    advice = f"Try it by hand to see more: {command}"
    environment = {"DEBIAN_FRONTEND": "noninteractive"}
    # Two installations at once would refuse each other, and take the policy from each other.
    with locked(cache_root() / "packages.lock"), _no_daemons():
        run(("apt-get", "update", "--quiet"), log=log, advice=advice)
        run(
            ("apt-get", "install", "--yes", "--quiet", "--no-install-recommends", *packages),
            log=log,
            env=environment,
            advice=advice,
        )


@contextmanager
def _no_daemons() -> Iterator[None]:
    """Debian asks this policy before a package's script starts a daemon; theirs is kept."""
    if POLICY.exists() and POLICY.read_text() != POLICY_TEXT:
        yield
        return
    POLICY.write_text(POLICY_TEXT)
    POLICY.chmod(0o755)
    try:
        yield
    finally:
        POLICY.unlink(missing_ok=True)
