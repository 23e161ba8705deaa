"""Kubeflow Trainer v2 under the same load, where its programs and CRDs are given by path.

Runs with Trainer 2.3.0 and JobSet 0.12.0, the one that its manifests install. A TrainJob becomes a
JobSet, so that the JobSet controller is the second program. No webhook of either is installed: what
the webhooks of JobSet would fill in stands in the runtimes.
"""

import os
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import yaml

from ...component.control_plane import (
    ADMIN,
    ControlPlane,
    free_ports,
    program,
    wait_for,
    wait_until_ok,
)
from ...component.managers import manager_configuration, put_certificate
from .cases import CANCELLED, FAILS, SUCCEEDS
from .runs import FATE_LABEL, TRAINER_SERVICE_ACCOUNT, Document

_API = "trainer.kubeflow.org/v1alpha1"
_CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
_CONFIGURATIONS: dict[str, Document] = {
    "trainer": {
        "apiVersion": "config.trainer.kubeflow.org/v1alpha1",
        "certManagement": {"enable": False},
        # Five workers, as in its manifests. 2.3.0 starts one all the same.
        "controller": {"groupKindConcurrency": {"TrainJob.trainer.kubeflow.org": 5}},
    },
    "jobset": {
        "apiVersion": "config.jobset.x-k8s.io/v1alpha1",
        "internalCertManagement": {"enable": False},
    },
}
_LOG_LEVEL = "--zap-log-level=2"
"""As in the manifests of both."""


@dataclass(frozen=True)
class Peer:
    """Where its programs and CRDs are."""

    binaries: Mapping[str, Path]
    crds: tuple[Path, ...]


def read_peer(environment: Mapping[str, str]) -> Peer | None:
    """What PEER, PEER_BINARY and PEER_CRDS say. Raises `ValueError` where that is not enough."""
    name = environment.get("PEER")
    if not name:
        return None
    if name != "trainer":
        raise ValueError(f"PEER: {name!r} is not known; only trainer is")
    binaries = [Path(path) for path in environment.get("PEER_BINARY", "").split(":") if path]
    crds = tuple(Path(path) for path in environment.get("PEER_CRDS", "").split(":") if path)
    if len(binaries) != 2 or not crds:
        raise ValueError(
            "PEER=trainer needs PEER_BINARY=path/to/trainer-manager:path/to/jobset-manager, and "
            "PEER_CRDS=files or folders with the CRDs of both, separated by colons"
        )
    for path in (*binaries, *crds):
        if not path.exists():
            raise ValueError(f"PEER: there is no {path}")
    return Peer(dict(zip(_CONFIGURATIONS, binaries, strict=True)), crds)


@dataclass(frozen=True)
class TrainJobs:
    """Runs of one pod."""

    namespace: str = "peer"
    name_label: str = "jobset.sigs.k8s.io/jobset-name"
    cancel: tuple[str, Document] = ("DELETE", {"propagationPolicy": "Background"})

    @property
    def path(self) -> str:
        return f"/apis/{_API}/namespaces/{self.namespace}/trainjobs"

    def manifest(self, name: str, fate: str) -> Document:
        return {
            "apiVersion": _API,
            "kind": "TrainJob",
            "metadata": {"name": name, "namespace": self.namespace},
            "spec": {
                "runtimeRef": {"apiGroup": "trainer.kubeflow.org", "name": fate}
                | {"kind": "ClusterTrainingRuntime"}
            },
        }

    def outcome(self, event: str, document: Document) -> str | None:
        if event == "DELETED":
            return CANCELLED
        conditions = document.get("status", {}).get("conditions", [])
        true = {one["type"] for one in conditions if one["status"] == "True"}
        return SUCCEEDS if "Complete" in true else FAILS if "Failed" in true else None


def _runtime(fate: str) -> Document:
    """A runtime whose only pod ends like that: pods take their labels from it alone."""
    container = {"name": "node", "image": "trainer:bench"}
    pod = {
        "containers": [container],
        "restartPolicy": "Never",
        "serviceAccountName": TRAINER_SERVICE_ACCOUNT,
    }
    job = {
        "completionMode": "Indexed",
        "completions": 1,
        "parallelism": 1,
        "backoffLimit": 0,
        "template": {"metadata": {"labels": {FATE_LABEL: fate}}, "spec": pod},
    }
    step = {"trainer.kubeflow.org/trainjob-ancestor-step": "trainer"}
    replicated = {"name": "node", "replicas": 1}
    replicated["template"] = {"metadata": {"labels": step}, "spec": job}
    spec = {
        "replicatedJobs": [replicated],
        "successPolicy": {"operator": "All"},
        "startupPolicy": {"startupPolicyOrder": "AnyOrder"},
        "network": {"enableDNSHostnames": False, "publishNotReadyAddresses": True},
    }
    return {
        "apiVersion": _API,
        "kind": "ClusterTrainingRuntime",
        "metadata": {"name": fate},
        "spec": {"mlPolicy": {"numNodes": 1}, "template": {"spec": spec}},
    }


def _documents(paths: tuple[Path, ...]) -> list[Document]:
    files = [file for path in paths for file in (path.rglob("*.yaml") if path.is_dir() else [path])]
    found = [document for file in files for document in yaml.safe_load_all(file.read_text())]
    return [one for one in found if one and one.get("kind") == "CustomResourceDefinition"]


@contextmanager
def running(
    plane: ControlPlane, peer: Peer, folder: Path
) -> Iterator[list["subprocess.Popen[bytes]"]]:
    """Its programs and a runtime for each fate, until the block ends."""
    for crd in _documents(peer.crds):
        plane.rest.post(_CRDS, crd)
        group, plural = crd["spec"]["group"], crd["spec"]["names"]["plural"]
        version = next(one["name"] for one in crd["spec"]["versions"] if one["storage"])
        path = f"/apis/{group}/{version}/{plural}"
        wait_for(f"{path} is served", partial(plane.rest.serves, path))
    for fate in (SUCCEEDS, FAILS, CANCELLED):
        plane.rest.post(f"/apis/{_API}/clustertrainingruntimes", _runtime(fate))
    # Both serve webhooks that nobody calls, with a certificate from the folder of temporary files.
    put_certificate(plane, folder / "k8s-webhook-server" / "serving-certs")
    environment = {
        "PATH": os.environ["PATH"],
        "KUBECONFIG": str(plane.kubeconfigs[ADMIN]),
        "TMPDIR": str(folder),
    }
    with ExitStack() as stack:
        processes = []
        for name, binary in peer.binaries.items():
            ports = free_ports(3)
            configuration = folder / f"{name}.yaml"
            settings = _CONFIGURATIONS[name] | manager_configuration(*ports)
            configuration.write_text(yaml.safe_dump(settings))
            log = folder / f"{name}.log"
            command = [str(binary), f"--config={configuration}", _LOG_LEVEL]
            process = stack.enter_context(program(command, log, env=environment))
            wait_until_ok(process, f"http://127.0.0.1:{ports[0]}/readyz", log)
            processes.append(process)
        yield processes
