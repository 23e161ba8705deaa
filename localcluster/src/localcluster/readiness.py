"""Waiting until a started cluster can be used."""

from __future__ import annotations

import json
import time
from typing import Any

from localcluster import addons
from localcluster.commands import run
from localcluster.errors import CommandFailedError, LocalclusterError
from localcluster.layout import NODE_NAME, Layout
from localcluster.owner import read_owner
from localcluster.progress import Progress
from localcluster.supervisor import SupervisorReport
from localcluster.volumes import volume_names

COMPONENTS_SECONDS = 180.0
NODE_SECONDS = 120.0
POLL_SECONDS = 0.3
RESTARTS_BEFORE_GIVING_UP = 5


def await_components(layout: Layout, progress: Progress) -> None:
    """Wait until every component is ready, and apply the objects that every cluster has.

    Raises:
        LocalclusterError: one keeps ending, or they take too long; with the end of its log.
    """
    announced: set[str] = set()
    applied = False
    deadline = time.monotonic() + COMPONENTS_SECONDS
    while True:
        report = SupervisorReport.read(layout)
        owner = read_owner()
        if owner is not None and not owner.alive:
            raise _failure(layout, "supervisor", "ended")
        if report is not None:
            for name, state in report.components.items():
                if name == "kube-apiserver" and state.state == "ready" and not applied:
                    # CoreDNS is ready only once it may list Services.
                    _kubectl(layout, "apply", "--filename=-", stdin=addons.manifests())
                    applied = True
                if state.state == "ready" and name not in announced:
                    announced.add(name)
                    progress.say(f"  {name} is ready")
                if state.restarts >= RESTARTS_BEFORE_GIVING_UP and state.state != "ready":
                    raise _failure(layout, name, f"keeps ending, last with {state.last_exit}")
            if announced == set(report.components):
                return
        if time.monotonic() > deadline:
            missing = sorted(set(report.components) - announced) if report else ["supervisor"]
            waiting = f"is not ready after {COMPONENTS_SECONDS:.0f} s (missing: {missing})"
            raise _failure(layout, missing[0], waiting)
        time.sleep(POLL_SECONDS)


def await_node(layout: Layout) -> None:
    """Wait for the node, the default service account and the volumes.

    Raises:
        LocalclusterError: the node does not become ready in time.
    """
    deadline = time.monotonic() + NODE_SECONDS
    while reason := _unready(layout):
        if time.monotonic() > deadline:
            raise _failure(layout, "kubelet", f"did not make the node ready: {reason}")
        time.sleep(POLL_SECONDS)


def _unready(layout: Layout) -> str:
    try:
        node = json.loads(_kubectl(layout, "get", "node", NODE_NAME, "--output=json"))
        conditions = {c["type"]: c for c in node["status"].get("conditions", ())}
        ready: dict[str, Any] = conditions.get("Ready", {})
        if ready.get("status") != "True":
            return str(ready.get("message", "no condition Ready yet"))
        if any(t["key"] == "node.kubernetes.io/not-ready" for t in node["spec"].get("taints", ())):
            return "its not-ready taint is still there"
        volumes = (f"persistentvolume/{name}" for name in volume_names())
        _kubectl(layout, "get", "--namespace=default", "serviceaccount/default", *volumes)
    except CommandFailedError as error:
        return str(error)
    return ""


def _kubectl(layout: Layout, *arguments: str, stdin: str | None = None) -> str:
    program = str(layout.bin / "kubectl")
    return run((program, f"--kubeconfig={layout.kubeconfig}", *arguments), stdin=stdin)


def _failure(layout: Layout, name: str, what: str) -> LocalclusterError:
    log = layout.log(name)
    try:
        tail = log.read_text(errors="replace").splitlines()[-20:]
    except OSError:
        tail = []
    lines = "\n".join(f"    {line}" for line in tail)
    return LocalclusterError(
        f"{name} {what}\n{lines}\nwhole log: {log}\n"
        f"Try again from nothing: localcluster down --state {layout.state}, then up."
    )
