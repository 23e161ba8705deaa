"""What the tests of localcluster share: an image, pods of it, and pictures of the machine."""

import json
import re
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from localcluster.layout import STATE_VARIABLE
from localcluster.machine import cgroup_mounts
from localcluster.processes import environment, processes

import localcluster

DOCKERFILE = """\
ARG BASE_IMAGE=debian:trixie-slim
FROM ${BASE_IMAGE}
RUN useradd --uid 1000 probe
USER 1000
"""
RESTRICTED = {
    "allowPrivilegeEscalation": False,
    "capabilities": {"drop": ["ALL"]},
    "readOnlyRootFilesystem": True,
    "runAsNonRoot": True,
    "runAsUser": 1000,
    "seccompProfile": {"type": "RuntimeDefault"},
}
_SYSCTLS = ("kernel", "net", "vm")
_VOLATILE = re.compile(
    r"kernel/(random/|ns_last_pid|pty/nr|tainted|perf_event_max_sample_rate|sched_|cad_pid)"
    r"|net/(netfilter/nf_conntrack_count|ipv[46]/(conf|neigh)/veth|ipv4/tcp_mem|core/bpf)"
    r"|vm/stat"
)


def build_image(cluster: localcluster.Cluster, folder: Path, *, push: bool = True) -> str:
    """Build the probe's image; the reference by which pods pull it."""
    (folder / "Dockerfile").write_text(DOCKERFILE)
    image = cluster.build(folder, "localcluster-test/probe:1", push=push)
    return image.reference or image.image_id


def pod(name: str, image: str, script: str, **resources: dict[str, str]) -> dict[str, Any]:
    """A pod that runs a Python script once, within Pod Security's strictest level."""
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "labels": {"app": name}},
        "spec": {
            "restartPolicy": "Never",
            "terminationGracePeriodSeconds": 1,
            "containers": [
                {
                    "name": "probe",
                    "image": image,
                    "command": ["python3", "-u", "-c", script],
                    "securityContext": RESTRICTED,
                    "resources": resources,
                }
            ],
        },
    }


@dataclass(frozen=True)
class Namespace:
    """A namespace of one test, with the strictest Pod Security level."""

    cluster: localcluster.Cluster
    name: str

    def create(self) -> None:
        """Create it, and wait for its service account, without which no pod is admitted."""
        labels = {"pod-security.kubernetes.io/enforce": "restricted"}
        metadata = {"name": self.name, "labels": labels}
        self.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": metadata})
        until(lambda: self.exists("serviceaccount/default"))

    def delete(self) -> None:
        """Delete it with all in it, without waiting."""
        self.cluster.kubectl("delete", "namespace", self.name, "--wait=false")

    def kubectl(self, *arguments: str) -> str:
        """Run kubectl in this namespace."""
        return self.cluster.kubectl(f"--namespace={self.name}", *arguments)

    def apply(self, document: dict[str, Any]) -> None:
        """Apply one object."""
        namespace = () if document["kind"] == "Namespace" else (f"--namespace={self.name}",)
        self.cluster.kubectl("apply", *namespace, "--filename=-", stdin=json.dumps(document))

    def get(self, what: str) -> dict[str, Any]:
        """One object."""
        found: dict[str, Any] = json.loads(self.kubectl("get", what, "--output=json"))
        return found

    def exists(self, what: str) -> bool:
        """Whether there is such an object."""
        return self.kubectl("get", what, "--ignore-not-found", "--output=name") != ""

    def run(self, document: dict[str, Any], phase: str = "Succeeded") -> dict[str, Any]:
        """Apply a pod and give it back once it is in that phase."""
        self.apply(document)
        name = f"pod/{document['metadata']['name']}"
        until(lambda: self.get(name)["status"].get("phase") in {phase, "Succeeded", "Failed"})
        found = self.get(name)
        assert found["status"]["phase"] == phase, found["status"]
        return found


def until(condition: Callable[[], bool], *, seconds: float = 90) -> None:
    """Wait for a condition.

    Raises:
        TimeoutError: it did not come true in time.
    """
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"not within {seconds} s")
        time.sleep(0.2)


@dataclass(frozen=True)
class Machine:
    """Everything of a machine that a cluster might leave changed."""

    processes: frozenset[str]
    mounts: tuple[str, ...]
    links: frozenset[str]
    rules: frozenset[str]
    cgroups: frozenset[str]
    sysctls: dict[str, str]

    @classmethod
    def look(cls) -> "Machine":
        """Take a picture now."""
        return cls(
            frozenset(
                f"{pid} of {state}"
                for pid in processes()
                if (state := environment(pid).get(STATE_VARIABLE))
            ),
            tuple(sorted(line.split()[4] for line in _lines(Path("/proc/self/mountinfo")))),
            frozenset(path.name for path in Path("/sys/class/net").iterdir()),
            frozenset(_rules("iptables") | _rules("ip6tables")),
            frozenset(
                str(folder)
                for mount in cgroup_mounts()
                for folder in (*mount.glob("*/"), *mount.glob("*/*/"))
            ),
            {
                str(path.relative_to("/proc/sys")): value
                for root in _SYSCTLS
                for path in Path("/proc/sys", root).rglob("*")
                if not _VOLATILE.match(str(path.relative_to("/proc/sys")))
                and (value := _value(path)) is not None
            },
        )


def _lines(path: Path) -> list[str]:
    return path.read_text().splitlines()


def _rules(family: str) -> set[str]:
    saved = subprocess.run((f"{family}-save",), capture_output=True, text=True, check=True).stdout
    table, rules = "", set[str]()
    for line in saved.splitlines():
        if line.startswith("*"):
            table = line
        # Chains with a policy are the kernel's own; they appear when first looked at.
        elif line.startswith("-A") or (line.startswith(":") and " - " in line):
            rules.add(f"{table} {line.partition(' [')[0]}")
    return rules


def _value(path: Path) -> str | None:
    try:
        return path.read_text().strip() if path.is_file() else None
    except (OSError, UnicodeDecodeError):
        return None
