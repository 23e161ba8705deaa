"""What the operator of a Lab may do."""

from typing import Any

import yaml
from trainyard_devtools.repo import CHART

from ..control_plane import OPERATOR, Rest

RBAC = "/apis/rbac.authorization.k8s.io/v1"


def allow(rest: Rest, namespace: str) -> None:
    """Give the operator what the chart gives it in a namespace, and no more."""
    path = f"{RBAC}/namespaces/{namespace}"
    rest.post(f"{path}/roles", _role(OPERATOR, "controllerRules"))
    rest.post(f"{path}/rolebindings", _binding("Role", OPERATOR))


def allow_queue(rest: Rest) -> None:
    """Give the operator what the chart gives it in the cluster where there is a queue."""
    name = f"{OPERATOR}-queue"
    if rest.get(f"{RBAC}/clusterroles/{name}") is None:
        rest.post(f"{RBAC}/clusterroles", _role(name, "queueRules"))
        rest.post(f"{RBAC}/clusterrolebindings", _binding("ClusterRole", name))


def _role(name: str, template: str) -> dict[str, Any]:
    text = (CHART / "templates" / "rbac.yaml").read_text()
    _, _, rules = text.partition(f'{{{{- define "trainyard.{template}" -}}}}')
    rules, _, _ = rules.partition("{{- end }}")
    return {"metadata": {"name": name}, "rules": yaml.safe_load(rules)}


def _binding(kind: str, name: str) -> dict[str, Any]:
    return {
        "metadata": {"name": name},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": kind, "name": name},
        "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": OPERATOR}],
    }
