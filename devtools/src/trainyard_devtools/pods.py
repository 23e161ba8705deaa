"""Run a program once in a pod that meets Pod Security "restricted"."""

import secrets
from collections.abc import Mapping
from typing import Any

from trainyard_schema import names

from trainyard_devtools.kube import S3_SERVICE, Kube

_SCRATCH = "/tmp"  # noqa: S108 - a volume of the pod


def restricted_pod(
    name: str,
    image: str,
    command: list[str],
    *,
    environment: Mapping[str, str],
    limits: Mapping[str, str],
) -> dict[str, Any]:
    """A pod with the object store's credentials and one scratch volume."""
    credentials = [
        {"name": key, "valueFrom": {"secretKeyRef": {"name": S3_SERVICE, "key": key}}}
        for key in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")
    ]
    plain = [{"name": key, "value": value} for key, value in environment.items()]
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        # By this label it may reach the object store where network policies are enforced.
        "metadata": {"name": name, "labels": {names.MANAGED_BY_LABEL: names.MANAGED_BY}},
        "spec": {
            "restartPolicy": "Never",
            "automountServiceAccountToken": False,
            "securityContext": {
                "runAsNonRoot": True,
                "runAsUser": 10001,
                "seccompProfile": {"type": "RuntimeDefault"},
            },
            "volumes": [{"name": "scratch", "emptyDir": {}}],
            "containers": [
                {
                    "name": "main",
                    "image": image,
                    "command": command,
                    "env": [{"name": "HOME", "value": _SCRATCH}, *plain, *credentials],
                    "resources": {"requests": dict(limits), "limits": dict(limits)},
                    "volumeMounts": [{"name": "scratch", "mountPath": _SCRATCH}],
                    "securityContext": {
                        "allowPrivilegeEscalation": False,
                        "readOnlyRootFilesystem": True,
                        "capabilities": {"drop": ["ALL"]},
                    },
                }
            ],
        },
    }


def run_in_pod(
    kube: Kube,
    image: str,
    command: list[str],
    *,
    environment: Mapping[str, str],
    limits: Mapping[str, str],
    timeout_seconds: int,
) -> str:
    """Run a command to its end and return what it printed; the pod is deleted."""
    name = f"run-{secrets.token_hex(4)}"
    kube.apply(restricted_pod(name, image, command, environment=environment, limits=limits))
    try:
        kube.kubectl(
            "wait",
            f"pod/{name}",
            "--for=jsonpath={.status.containerStatuses[0].state.terminated}",
            f"--timeout={timeout_seconds}s",
        )
        return kube.kubectl("logs", name)
    finally:
        kube.kubectl("delete", "pod", name, "--wait=false")
