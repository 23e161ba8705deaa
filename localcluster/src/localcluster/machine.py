"""What a cluster changes on the machine, and how each change is undone."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import time
from collections.abc import Collection, Iterator
from pathlib import Path

from localcluster.commands import run, succeeds
from localcluster.errors import LocalclusterError
from localcluster.layout import BRIDGE, CGROUP, NETWORK, NODE_IP, POD_CIDR

SYSCTLS = (
    "kernel.keys.root_maxbytes",
    "kernel.keys.root_maxkeys",
    "kernel.panic",
    "kernel.panic_on_oops",
    "net.ipv4.conf.all.route_localnet",
    "net.ipv4.ip_forward",
    "net.netfilter.nf_conntrack_max",
    "net.netfilter.nf_conntrack_tcp_timeout_close_wait",
    "net.netfilter.nf_conntrack_tcp_timeout_established",
    "vm.overcommit_memory",
    "vm.panic_on_oom",
)
"""Kernel settings that the kubelet, kube-proxy or we may change."""

CNI_RESULTS = Path("/var/lib/cni/results")
OUTSIDE_PATHS = (
    "/etc/cni",
    "/etc/cni/net.d",
    "/opt/cni",
    "/opt/cni/bin",
    "/opt/containerd",
    "/run/containerd",
    "/run/containerd/s",
    "/run/flannel",
    "/run/xtables.lock",
    "/var/lib/cni",
    "/var/lib/cni/results",
    "/var/lib/kubelet",
    "/var/lib/kubelet/device-plugins",
    "/var/lib/kubelet/device-plugins/kubelet.sock",
    "/var/log/containers",
    "/var/log/pods",
)
"""Paths that components insist on, outside the state folder; removed if they were not there."""


def read_sysctls() -> dict[str, str]:
    """Present values of the kernel settings that a cluster may change."""
    values = {}
    for name in SYSCTLS:
        with contextlib.suppress(OSError):
            values[name] = _sysctl(name).read_text().strip()
    return values


def write_sysctls(values: dict[str, str]) -> None:
    """Set kernel settings that differ from the given values."""
    for name, value in values.items():
        path = _sysctl(name)
        with contextlib.suppress(FileNotFoundError):
            if path.read_text().strip() != value:
                path.write_text(value)


def _sysctl(name: str) -> Path:
    return Path("/proc/sys") / name.replace(".", "/")


def absent_paths() -> tuple[str, ...]:
    """Those of the outside paths that do not exist now."""
    return tuple(path for path in OUTSIDE_PATHS if not Path(path).exists())


def ensure_bridge() -> None:
    """A bridge without ports carries the node's address: a `dummy` device may not exist."""
    if not Path(f"/sys/class/net/{BRIDGE}").exists():
        run(("ip", "link", "add", BRIDGE, "type", "bridge"))
    run(("ip", "address", "replace", f"{NODE_IP}/32", "dev", BRIDGE))
    run(("ip", "link", "set", BRIDGE, "up"))


def remove_links() -> None:
    """Remove the bridge, and the host's ends of pods' devices."""
    if shutil.which("ip") is None:
        return  # no cluster was ever up on this machine
    routes = json.loads(run(("ip", "-json", "route", "show", "root", POD_CIDR)) or "[]")
    for device in {route["dev"] for route in routes if route.get("dev", "").startswith("veth")}:
        # A device goes by itself with its pod's network; it may be gone since it was listed.
        succeeds(("ip", "link", "delete", device))
    if Path(f"/sys/class/net/{BRIDGE}").exists():
        run(("ip", "link", "delete", BRIDGE))


def default_mtu() -> int:
    """MTU of the device that leads outside; 1500 where none does."""
    routes = json.loads(run(("ip", "-json", "route", "show", "default")) or "[]")
    for route in routes:
        return int(Path(f"/sys/class/net/{route['dev']}/mtu").read_text())
    return 1500


def cgroup_mounts() -> list[Path]:
    """Mount points of all cgroup hierarchies."""
    mounts = (line.split() for line in Path("/proc/mounts").read_text().splitlines())
    return [Path(fields[1]) for fields in mounts if fields[2] in {"cgroup", "cgroup2"}]


def ensure_cgroups() -> None:
    """Make the pods' parent cgroup in every hierarchy, with all controllers of a v2 one."""
    for mount in cgroup_mounts():
        available = mount / "cgroup.controllers"
        if available.exists() and mount == Path("/sys/fs/cgroup"):
            enabled = (mount / "cgroup.subtree_control").read_text().split()
            for controller in available.read_text().split():
                if controller not in enabled:
                    with contextlib.suppress(OSError):
                        (mount / "cgroup.subtree_control").write_text(f"+{controller}")
        folder = mount / CGROUP
        folder.mkdir(exist_ok=True)
        if (mount / "cpuset.cpus").exists() and not (mount / "cgroup.controllers").exists():
            for name in ("cpuset.cpus", "cpuset.mems"):
                (folder / name).write_text((mount / name).read_text())


def pods_processes() -> set[int]:
    """Processes in the cluster's cgroups."""
    pids: set[int] = set()
    for mount in cgroup_mounts():
        for file in (mount / CGROUP).rglob("cgroup.procs"):
            with contextlib.suppress(OSError):
                pids.update(int(line) for line in file.read_text().split())
    return pids - {os.getpid()}


def remove_cgroups(*, seconds: float = 10.0) -> None:
    """Remove the cluster's cgroups, children first; killed processes leave them with a delay."""
    deadline = time.monotonic() + seconds
    for mount in cgroup_mounts():
        root = mount / CGROUP
        while root.exists():
            for folder in [*_deepest_first(root), root]:
                with contextlib.suppress(OSError):
                    folder.rmdir()
            if root.exists():
                if time.monotonic() > deadline:
                    raise LocalclusterError(
                        f"cgroup {root} cannot be removed; processes in it: {pods_processes()}"
                    )
                time.sleep(0.05)


def _deepest_first(root: Path) -> Iterator[Path]:
    for folder, _, _ in os.walk(root, topdown=False):
        if Path(folder) != root:
            yield Path(folder)


def mounts_under(root: Path, mountinfo: str) -> list[str]:
    """Mount points at or below a folder, latest first, from the text of /proc/self/mountinfo."""
    points = [_unescape(line.split()[4]) for line in mountinfo.splitlines() if line]
    return [
        point for point in reversed(points) if point == str(root) or point.startswith(f"{root}/")
    ]


def _unescape(path: str) -> str:
    return re.sub(r"\\(\d{3})", lambda match: chr(int(match[1], 8)), path)


def unmount_under(root: Path) -> None:
    """Unmount everything below a folder; what is busy is detached."""
    for point in mounts_under(root, Path("/proc/self/mountinfo").read_text()):
        if not succeeds(("umount", point)):
            succeeds(("umount", "--lazy", point))
    left = mounts_under(root, Path("/proc/self/mountinfo").read_text())
    if left:
        # Going on would delete what is mounted together with the folder.
        raise LocalclusterError(f"still mounted: {' '.join(left)}\nUnmount that by hand first.")


def remove_outside_files(state: Path, absent: Collection[str]) -> None:
    """Remove what components wrote outside the state folder."""
    for address in (state / "run/containerd").glob("io.containerd.runtime.v2.task/*/*/address"):
        with contextlib.suppress(OSError):
            Path(address.read_text().removeprefix("unix://")).unlink()
    # containerd forgets results of loopback devices; in a folder made for us all are ours.
    own_folder = str(CNI_RESULTS) in absent
    for pattern in (f"{NETWORK}-*", *(("cni-loopback-*",) if own_folder else ())):
        for result in CNI_RESULTS.glob(pattern):
            result.unlink(missing_ok=True)
    for link in Path("/var/log/containers").glob("*"):
        if link.is_symlink() and str(link.readlink()).startswith(f"{state}/"):
            link.unlink(missing_ok=True)
    for path in sorted((Path(text) for text in absent), reverse=True):
        with contextlib.suppress(OSError):
            if path.is_dir():
                path.rmdir()
            else:
                path.unlink(missing_ok=True)
