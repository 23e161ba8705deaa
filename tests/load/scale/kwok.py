"""Fake nodes (kwok): their pods run for a moment and end as their label says."""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from localcluster.cache import cached_file, key_of
from localcluster.commands import run
from localcluster.layout import cache_root
from localcluster.nodebinary import go_command

from ...component.control_plane import ADMIN, ControlPlane, program
from . import kubelet
from .cases import FAILS, SUCCEEDS
from .runs import FATE_LABEL

_SOURCE = Path(__file__).resolve().parent / "kwok"
_PACKAGE = "sigs.k8s.io/kwok/cmd/kwok"
_ANNOTATION = "kwok.x-k8s.io/node"
_NODES = 4
_ROOM = {"cpu": "100000", "memory": "100Ti", "pods": "100000"}
_OPTIONS = {
    "apiVersion": "config.kwok.x-k8s.io/v1alpha1",
    "kind": "KwokConfiguration",
    # By default, 4 pods have their status written at a time: with a busy API server, that is what
    # pods wait for. The other two are the defaults, which go where there is a configuration.
    "options": {
        "podPlayStageParallelism": 64,
        "nodePlayStageParallelism": 4,
        "nodeLeaseParallelism": 4,
    },
}


def _module() -> list[str]:
    return [(_SOURCE / name).read_text() for name in ("go.mod", "go.sum")]


def is_built() -> bool:
    """Whether the cache has it, so that nobody waits for a build."""
    return (cache_root() / "kwok" / key_of(_module()) / "kwok").exists()


def binary(log: Path) -> Path:
    """The program, from the cache or built now (five minutes on two cores, from nothing)."""
    module = _module()

    def build(target: Path) -> None:
        run(
            (go_command(module[0], log), "build", "-trimpath", "-ldflags", "-s -w", "-o",
             str(target), _PACKAGE),
            cwd=_SOURCE,
            log=log,
            env={"CGO_ENABLED": "0", "GOFLAGS": "-mod=readonly", "GOTOOLCHAIN": "local"},
            advice="The build needs the Go module proxy.",
        )  # fmt: skip

    return cached_file("kwok", key_of(module), build)


def _stage(
    name: str, *, kind: str = "Pod", selector: dict[str, Any], then: dict[str, Any], wait: float = 0
) -> dict[str, Any]:
    return {
        "apiVersion": "kwok.x-k8s.io/v1alpha1",
        "kind": "Stage",
        "metadata": {"name": name},
        "spec": {
            "resourceRef": {"apiGroup": "v1", "kind": kind},
            "selector": selector,
            "delay": {"durationMilliseconds": int(wait * 1000)},
            "next": then,
        },
    }


def stages() -> list[dict[str, Any]]:
    """What becomes of a fake node, and of its pods, one stage after another."""
    container = {
        "name": "{{ (index .spec.containers 0).name }}",
        "image": "{{ (index .spec.containers 0).image }}",
    }
    alive = {"key": ".metadata.deletionTimestamp", "operator": "DoesNotExist"}
    deleted = {"key": ".metadata.deletionTimestamp", "operator": "Exists"}
    pending, runs = (
        {"key": ".status.phase", "operator": "In", "values": [phase]}
        for phase in ("Pending", "Running")
    )
    unready = {
        "key": '.status.conditions.[] | select( .type == "Ready" ) | .status',
        "operator": "NotIn",
        "values": ["True"],
    }
    now = "{{ Now }}"
    start = "{{ (index .status.containerStatuses 0).state.running.startedAt }}"
    ready = {"type": "Ready", "status": "True", "reason": "Fake", "lastTransitionTime": now}
    node = {"capacity": _ROOM, "allocatable": _ROOM, "conditions": [ready]}
    return [
        _stage(
            "ready",
            kind="Node",
            selector={"matchExpressions": [unready]},
            then={"statusTemplate": json.dumps(node)},
        ),
        _stage(
            "start",
            selector={"matchExpressions": [alive, pending]},
            then={"statusTemplate": json.dumps(kubelet.running(container, now))},
        ),
        *(
            _stage(
                f"end-{fate}",
                selector={"matchLabels": {FATE_LABEL: fate}, "matchExpressions": [alive, runs]},
                then={"statusTemplate": json.dumps(kubelet.ended(container, start, now, fate))},
                wait=kubelet.RUN_SECONDS,
            )
            for fate in (SUCCEEDS, FAILS)
        ),
        _stage("delete", selector={"matchExpressions": [deleted]}, then={"delete": True}),
    ]


def _create_nodes(plane: ControlPlane) -> None:
    for number in range(_NODES):
        name = f"fake-{number}"
        node = {"metadata": {"name": name, "annotations": {_ANNOTATION: "fake"}}}
        plane.rest.post("/api/v1/nodes", node)
        # A controller that does not run here would take the taint of a new node away.
        plane.rest.patch(f"/api/v1/nodes/{name}", {"spec": {"taints": None}})


@contextmanager
def nodes(plane: ControlPlane, node_program: Path, folder: Path) -> Iterator[None]:
    """A scheduler and nodes, until the block ends."""
    _create_nodes(plane)
    kubeconfig = f"--kubeconfig={plane.kubeconfigs[ADMIN]}"
    configuration = folder / "kwok.yaml"
    documents = [_OPTIONS, *stages()]
    configuration.write_text("\n---\n".join(json.dumps(document) for document in documents))
    scheduler = [str(node_program), "kube-scheduler", kubeconfig]
    scheduler += ["--leader-elect=false", "--secure-port=0"]
    fake = [str(binary(folder / "go-build-kwok.log")), kubeconfig, f"--config={configuration}"]
    fake += ["--manage-all-nodes=false"]
    fake += [f"--manage-nodes-with-annotation-selector={_ANNOTATION}=fake"]
    environment = {"PATH": os.environ["PATH"], "HOME": str(folder)}
    with (
        program(scheduler, folder / "kube-scheduler.log"),
        program(fake, folder / "kwok.log", env=environment),
    ):
        yield
