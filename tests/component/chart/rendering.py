"""The chart as Helm renders it, the ways of installing it that differ, and what is in them."""

import subprocess
from collections.abc import Callable, Iterator
from typing import Any

import yaml
from trainyard_devtools.repo import CHART

KUBERNETES = "1.35"
EXTERNAL = {
    "storage.bundled.enabled": "false",
    "storage.existingSecret": "my-s3",
    "storage.endpointUrl": "https://s3.example.com:9000",
}
EXTERNAL_DATABASE = {
    "database.bundled.enabled": "false",
    "database.existingSecret": "my-database",
}
VALUES: dict[str, dict[str, str]] = {
    "defaults": {},
    "external-database": {
        **EXTERNAL_DATABASE,
        "networkPolicy.databasePort": "6432",
        "networkPolicy.databaseCidrs[0]": "10.30.0.0/16",
    },
    "issuer": {
        "auth.jwksUrl": "https://issuer.example.com:8443/keys",
        "auth.issuer": "https://issuer.example.com",
        "auth.roleClaim": "realm_access.roles",
        "auth.defaultRole": "none",
        "networkPolicy.issuerCidrs[0]": "10.40.0.0/16",
    },
    "webhook": {
        "api.webhook.url": "https://alerts.example.com:9443/trainyard",
        "api.webhook.existingSecret": "my-webhook",
        "networkPolicy.webhookCidrs[0]": "10.50.0.0/16",
    },
    "ingress": {
        "api.ingress.enabled": "true",
        "api.ingress.host": "trainyard.example.com",
        "api.ingress.className": "nginx",
        "api.ingress.tlsSecret": "trainyard-tls",
        "api.ingress.annotations.proxy": "off",
    },
    "external-s3": {**EXTERNAL, "networkPolicy.storageCidrs[0]": "10.20.0.0/16"},
    "aws": {**EXTERNAL, "storage.endpointUrl": "", "storage.region": "eu-central-1"},
    "own-secrets": {
        "auth.existingSecret": "my-auth",
        "storage.existingSecret": "my-s3",
        "database.existingSecret": "my-database",
    },
    "open": {"auth.trainApi": "open", "api.service.type": "LoadBalancer", "api.replicas": "2"},
    "replicas": {"controller.replicas": "2"},
    "metrics": {
        "metrics.serviceMonitor.enabled": "true",
        "metrics.serviceMonitor.labels.release": "prometheus",
        "metrics.prometheusRule.enabled": "true",
        "metrics.prometheusRule.labels.release": "prometheus",
    },
    "bare": {"networkPolicy.enabled": "false", "crds.enabled": "false"},
    "scheduling": {
        "nodeSelector.pool": "ml",
        "tolerations[0].key": "ml",
        "tolerations[0].operator": "Exists",
        "image.pullSecrets[0]": "pull",
        "storage.bundled.persistence.storageClassName": "fast",
    },
}

Object = dict[str, Any]
Template = Callable[..., list[Object]]


def renderer(helm: list[str]) -> Template:
    """What renders the chart with values given as --set; values files come after them."""

    def render(
        values: dict[str, str], *files: str, release: str = "trainyard", namespace: str = "ns"
    ) -> list[Object]:
        command = [*helm, "template", release, str(CHART), "--namespace", namespace]
        command += ["--kube-version", KUBERNETES]
        for file in files:
            command += ["--values", file]
        for key, value in values.items():
            typed = value in {"true", "false"} or value.isdecimal()
            command += ["--set" if typed else "--set-string", f"{key}={value}"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise ValueError(done.stderr)
        return [document for document in yaml.safe_load_all(done.stdout) if document]

    return render


def find(objects: list[Object], kind: str, name: str) -> Object:
    [found] = [o for o in objects if (o["kind"], o["metadata"]["name"]) == (kind, name)]
    return found


def pod_specs(objects: list[Object]) -> Iterator[tuple[str, Object]]:
    """Every pod that the chart starts, tests and hooks included."""
    for item in objects:
        if item["kind"] == "Pod":
            yield item["metadata"]["name"], item["spec"]
        elif "template" in item.get("spec", {}):
            yield item["metadata"]["name"], item["spec"]["template"]["spec"]


def container_of(objects: list[Object], name: str, kind: str = "Deployment") -> Object:
    """The one container of a workload that is no init container."""
    [container] = find(objects, kind, name)["spec"]["template"]["spec"]["containers"]
    return dict(container)


def environment(container: Object) -> dict[str, Any]:
    return {entry["name"]: entry.get("value", entry.get("valueFrom")) for entry in container["env"]}
