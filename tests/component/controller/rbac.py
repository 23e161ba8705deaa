"""What the operator of a Lab may do."""

import yaml
from trainyard_devtools.repo import CHART

from ..control_plane import OPERATOR, Rest


def allow(rest: Rest, namespace: str) -> None:
    """Give the operator what the chart gives it, and no more."""
    template = (CHART / "templates" / "rbac.yaml").read_text()
    _, _, rules = template.partition('{{- define "trainyard.controllerRules" -}}')
    path = f"/apis/rbac.authorization.k8s.io/v1/namespaces/{namespace}"
    rules, _, _ = rules.partition("{{- end }}")
    role = {"metadata": {"name": OPERATOR}, "rules": yaml.safe_load(rules)}
    rest.post(f"{path}/roles", role)
    binding = {
        "metadata": {"name": OPERATOR},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": OPERATOR},
        "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": OPERATOR}],
    }
    rest.post(f"{path}/rolebindings", binding)
