"""Objects that every cluster has from the start."""

from __future__ import annotations

from typing import Any

import yaml

from localcluster.volumes import storage_class


def manifests() -> str:
    """All of them as one YAML stream, to be applied again at every `up`."""
    documents = [
        *_role_for_user(
            "localcluster-coredns",
            "system:coredns",
            [
                {
                    "apiGroups": [""],
                    "resources": ["services", "pods", "namespaces"],
                    "verbs": ["list", "watch"],
                },
                {
                    "apiGroups": ["discovery.k8s.io"],
                    "resources": ["endpointslices"],
                    "verbs": ["list", "watch"],
                },
            ],
        ),
        _binding(
            "localcluster-kubelet-api", "system:kubelet-api-admin", "kube-apiserver-kubelet-client"
        ),
        storage_class(),
    ]
    return yaml.safe_dump_all(documents, sort_keys=False)


def _role_for_user(name: str, user: str, rules: list[dict[str, Any]]) -> list[dict[str, Any]]:
    role = {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRole",
        "metadata": {"name": name},
        "rules": rules,
    }
    return [role, _binding(name, name, user)]


def _binding(name: str, role: str, user: str) -> dict[str, Any]:
    return {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRoleBinding",
        "metadata": {"name": name},
        "roleRef": {
            "apiGroup": "rbac.authorization.k8s.io",
            "kind": "ClusterRole",
            "name": role,
        },
        "subjects": [
            {"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": user},
        ],
    }
