"""What the operator of a Lab may do."""

import os
import shutil
from functools import cache
from pathlib import Path
from typing import Any

from localcluster.nodebinary import node_binary

from ..chart.rendering import find, renderer
from ..control_plane import OPERATOR, Rest

LEASE = "trainyard-controller"
RBAC = "/apis/rbac.authorization.k8s.io/v1"
Rules = list[dict[str, Any]]


@cache
def _objects() -> list[dict[str, Any]]:
    """The chart with everything that gives permissions to the operator."""
    found = shutil.which("helm")
    helm = [found] if found else [str(node_binary(Path(os.devnull))), "helm"]
    values = {"controller.replicas": "2", "controller.queue.maxConcurrentJobs": "1"}
    return renderer(helm)(values)


def granted() -> Rules:
    """What the chart gives to the operator in a namespace, in replicas."""
    roles = ("trainyard-controller", "trainyard-controller-lease")
    return [rule for role in roles for rule in find(_objects(), "Role", role)["rules"]]


def granted_in_the_cluster() -> Rules:
    """What the chart gives to the operator beyond namespaces, for its queue."""
    [role] = [one for one in _objects() if one["kind"] == "ClusterRole"]
    rules: Rules = role["rules"]
    return rules


def allow(rest: Rest, namespace: str) -> None:
    """Give the operator what the chart gives it in a namespace, and no more."""
    path = f"{RBAC}/namespaces/{namespace}"
    rest.post(f"{path}/roles", {"metadata": {"name": OPERATOR}, "rules": granted()})
    rest.post(f"{path}/rolebindings", _binding("Role", OPERATOR))


def allow_queue(rest: Rest) -> None:
    """Give the operator what the chart gives it in the cluster where there is a queue."""
    name = f"{OPERATOR}-queue"
    if rest.get(f"{RBAC}/clusterroles/{name}") is None:
        rules = granted_in_the_cluster()
        rest.post(f"{RBAC}/clusterroles", {"metadata": {"name": name}, "rules": rules})
        rest.post(f"{RBAC}/clusterrolebindings", _binding("ClusterRole", name))


def _binding(kind: str, name: str) -> dict[str, Any]:
    return {
        "metadata": {"name": name},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": kind, "name": name},
        "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": OPERATOR}],
    }
