"""Kueue itself beside the operator, where its program and manifests are given by path.

`KUEUE_BINARY` is built by `go build ./cmd/kueue` in its repository; `KUEUE_CONFIG` is the folder
`config/components` there. Its webhooks for Jobs and for its own kinds are called as in a cluster.
"""

import base64
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import yaml

from ..control_plane import ADMIN, ControlPlane, Rest, free_ports, program, wait_for, wait_until_ok
from ..managers import manager_configuration, put_certificate

GROUP = "kueue.x-k8s.io"
API = f"/apis/{GROUP}/v1beta2"
_CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"

Document = dict[str, Any]


def given() -> tuple[Path, Path] | None:
    """Its program and the folder of its manifests; None where they are not given."""
    binary, config = (os.environ.get(name) for name in ("KUEUE_BINARY", "KUEUE_CONFIG"))
    return (Path(binary), Path(config)) if binary and config else None


@contextmanager
def running(plane: ControlPlane, binary: Path, config: Path, folder: Path) -> Iterator[None]:
    """Its manager with all that a release installs for Jobs, until the block ends."""
    for file in (config / "crd" / "bases").glob("*.yaml"):
        plane.rest.post(_CRDS, yaml.safe_load(file.read_text()))
    wait_for("its kinds are served", partial(_serves, plane.rest))
    # Its image has the certificate of its metrics at this place.
    etc = folder / "etc"
    certificates = etc / "kueue" / "metrics" / "certs"
    put_certificate(plane, certificates)
    shutil.copy("/etc/passwd", etc)
    health, metrics, webhook = free_ports(3)
    configuration = folder / "kueue.yaml"
    configuration.write_text(yaml.safe_dump(_configuration(health, metrics, webhook, certificates)))
    environment = {"PATH": os.environ["PATH"], "KUBECONFIG": str(plane.kubeconfigs[ADMIN])}
    log = folder / "kueue.log"
    with_etc = ["unshare", "--map-root-user", "--mount"]
    with_etc += ["sh", "-c", 'mount --bind "$0" /etc && exec "$@"', str(etc)]
    # On-demand visibility is an API server of its own, which the API server would have to know.
    command = [str(binary), f"--config={configuration}", "--feature-gates=VisibilityOnDemand=false"]
    with program([*with_etc, *command], log, env=environment) as process:
        wait_until_ok(process, f"http://127.0.0.1:{health}/readyz", log)
        authority = (certificates / "tls.crt").read_bytes()
        for document in yaml.safe_load_all((config / "webhook" / "manifests.yaml").read_text()):
            _install(plane.rest, document, f"https://127.0.0.1:{webhook}", authority)
        yield


def _serves(rest: Rest) -> bool:
    kinds = (rest.get(API) or {}).get("resources", [])
    return {"workloads", "clusterqueues", "localqueues"} <= {one["name"] for one in kinds}


def _configuration(health: int, metrics: int, webhook: int, certificates: Path) -> Document:
    shared = manager_configuration(health, metrics, webhook)
    return shared | {
        "apiVersion": "config.kueue.x-k8s.io/v1beta2",
        "webhook": shared["webhook"] | {"certDir": str(certificates)},
        "internalCertManagement": {"enable": False},
        "integrations": {"frameworks": ["batch/job"]},
    }


def _install(rest: Rest, document: Document, url: str, authority: bytes) -> None:
    """Have the API server call its webhooks for Jobs and for its own kinds."""
    called = []
    for webhook in document["webhooks"]:
        [rule] = webhook["rules"]
        if not {"batch", GROUP} & set(rule["apiGroups"]):
            continue
        path = webhook["clientConfig"]["service"]["path"]
        bundle = base64.b64encode(authority).decode()
        webhook["clientConfig"] = {"url": url + path, "caBundle": bundle}
        called.append(webhook)
    path = f"/apis/admissionregistration.k8s.io/v1/{document['kind'].lower()}s"
    rest.post(path, {**document, "webhooks": called})


def open_queue(rest: Rest, namespace: str, *, cpu: str) -> None:
    """The LocalQueue `team-a`, with so much CPU for its runs."""
    flavor, cluster_queue = f"{namespace}-nodes", f"{namespace}-queue"
    quota = {"cpu": cpu, "memory": "100Gi"}
    resources = [{"name": name, "nominalQuota": amount} for name, amount in quota.items()]
    group = {
        "coveredResources": list(quota),
        "flavors": [{"name": flavor, "resources": resources}],
    }
    where = f"{API}/namespaces/{namespace}/localqueues"
    rest.post(f"{API}/resourceflavors", _named("ResourceFlavor", flavor))
    rest.post(
        f"{API}/clusterqueues",
        _named("ClusterQueue", cluster_queue)
        | {
            "spec": {
                "namespaceSelector": {},
                "preemption": {"withinClusterQueue": "LowerPriority"},
                "resourceGroups": [group],
            }
        },
    )
    rest.post(where, _named("LocalQueue", "team-a") | {"spec": {"clusterQueue": cluster_queue}})


def _named(kind: str, name: str) -> Document:
    return {"apiVersion": f"{GROUP}/v1beta2", "kind": kind, "metadata": {"name": name}}
