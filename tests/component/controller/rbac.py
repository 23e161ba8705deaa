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


@cache
def granted() -> list[dict[str, Any]]:
    """The rules of the Roles that the chart gives to the operator, in replicas."""
    found = shutil.which("helm")
    helm = [found] if found else [str(node_binary(Path(os.devnull))), "helm"]
    objects = renderer(helm)({"controller.replicas": "2"})
    return [
        rule
        for role in ("trainyard-controller", "trainyard-controller-lease")
        for rule in find(objects, "Role", role)["rules"]
    ]


def allow(rest: Rest, namespace: str) -> None:
    """Give the operator what the chart gives it, and no more."""
    path = f"/apis/rbac.authorization.k8s.io/v1/namespaces/{namespace}"
    rest.post(f"{path}/roles", {"metadata": {"name": OPERATOR}, "rules": granted()})
    binding = {
        "metadata": {"name": OPERATOR},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": OPERATOR},
        "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": OPERATOR}],
    }
    rest.post(f"{path}/rolebindings", binding)
