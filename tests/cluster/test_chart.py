"""One release of the chart from installation to removal, under Pod Security "restricted"."""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from trainyard_devtools.clusters import Cluster
from trainyard_devtools.kube import Kube
from trainyard_devtools.repo import BUCKET, CHART, NAMESPACE, RELEASE

from ..component.control_plane import wait_for

pytestmark = pytest.mark.cluster

OWN_NAMESPACE = "chart-test"
PART = b"x" * (5 << 20)


class Helm:
    """Helm for one namespace."""

    def __init__(self, cluster: Cluster, namespace: str) -> None:
        self._command = [*cluster.helm, "--kubeconfig", str(cluster.kubeconfig), "-n", namespace]

    def __call__(self, *words: str) -> str:
        done = subprocess.run([*self._command, *words], capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"helm {' '.join(words)}\n{done.stdout}\n{done.stderr}"
        return done.stdout


@pytest.fixture
def own(cluster: Cluster) -> Iterator[Kube]:
    """A namespace that enforces Pod Security "restricted", deleted in the end."""
    kube = Kube(cluster.kubeconfig, cluster.kubectl, OWN_NAMESPACE)
    labels = {"pod-security.kubernetes.io/enforce": "restricted"}
    kube.apply(
        {
            "apiVersion": "v1",
            "kind": "Namespace",
            "metadata": {"name": OWN_NAMESPACE, "labels": labels},
        }
    )
    yield kube
    kube.kubectl("delete", "namespace", OWN_NAMESPACE, "--wait=false")


def pods(kube: Kube) -> dict[str, str]:
    """UID of each pod of the release, by name."""
    listed = json.loads(
        kube.kubectl(
            *("get", "pods", "-o", "json"),
            *("-l", "app.kubernetes.io/component in (api,controller,s3,postgres)"),
        )
    )
    return {pod["metadata"]["name"]: pod["metadata"]["uid"] for pod in listed["items"]}


def write(s3: Any) -> None:
    """What Trainyard asks of an object store: plain, conditional and multipart writes."""
    s3.put_object(Bucket=BUCKET, Key="once", Body=b"first", IfNoneMatch="*")
    with pytest.raises(ClientError, match="PreconditionFailed"):
        s3.put_object(Bucket=BUCKET, Key="once", Body=b"second", IfNoneMatch="*")
    with pytest.raises(ClientError, match="BadDigest"):
        s3.put_object(Bucket=BUCKET, Key="bad", Body=b"x", ChecksumSHA256="A" * 43 + "=")
    at = {"Bucket": BUCKET, "Key": "large"}
    upload = s3.create_multipart_upload(**at)["UploadId"]
    parts = [
        {
            "PartNumber": number,
            "ETag": s3.upload_part(**at, UploadId=upload, PartNumber=number, Body=PART)["ETag"],
        }
        for number in (1, 2)
    ]
    s3.complete_multipart_upload(**at, UploadId=upload, MultipartUpload={"Parts": parts})
    upload = s3.create_multipart_upload(Bucket=BUCKET, Key="given-up")["UploadId"]
    s3.abort_multipart_upload(Bucket=BUCKET, Key="given-up", UploadId=upload)


def sql(kube: Kube, statement: str) -> str:
    """What the bundled PostgreSQL answers, as docs/operations.md asks it."""
    psql = ("psql", "--username=postgres", "--dbname=trainyard", "--tuples-only", "--no-align")
    command = ("exec", f"{RELEASE}-postgres-0", "--", *psql, "--quiet", f"--command={statement}")
    return kube.kubectl(*command).strip()


def check(s3: Any) -> None:
    listed = {entry["Key"] for entry in s3.list_objects_v2(Bucket=BUCKET)["Contents"]}
    assert listed == {"once", "large"}
    assert s3.get_object(Bucket=BUCKET, Key="once")["Body"].read() == b"first"
    assert s3.get_object(Bucket=BUCKET, Key="large")["Body"].read() == PART * 2


@pytest.mark.timeout(600)
def test_life_of_a_release(cluster: Cluster, own: Kube, tmp_path: Path) -> None:
    values = tmp_path / "values.yaml"
    values.write_text(Helm(cluster, NAMESPACE)("get", "values", RELEASE, "-o", "yaml"))
    helm = Helm(cluster, OWN_NAMESPACE)
    chart = [RELEASE, str(CHART), "--values", str(values), "--wait", "--timeout", "4m"]
    # The CRD and the node port belong to the release that the other tests use.
    chart += ["--set", "crds.enabled=false,api.service.type=ClusterIP,api.service.nodePort=null"]
    chart += ["--set", "api.replicas=2"]

    helm("install", *chart)
    helm("test", RELEASE, "--logs", "--timeout", "3m")
    secrets = {name: own.secret(f"{RELEASE}-{name}") for name in ("auth", "s3", "postgres")}
    with own.s3() as s3:
        write(s3)
        check(s3)
    revision = sql(own, "SELECT version_num FROM alembic_version")
    assert revision, "both replicas' init containers have seen to the tables"
    sql(own, "CREATE TABLE kept AS SELECT 42 AS answer")

    servers = {f"{RELEASE}-s3-0", f"{RELEASE}-postgres-0"}
    old = pods(own)
    # Within a second there is a new pod of each name, and kubectl's own wait was seen to hang.
    own.kubectl("delete", "pod", *servers, "--wait=false")
    wait_for(
        "both have new pods",
        lambda: all(pods(own).get(name, old[name]) != old[name] for name in servers),
        timeout=120,
    )
    for server in ("s3", "postgres"):
        own.kubectl("rollout", "status", f"statefulset/{RELEASE}-{server}", "--timeout=2m")
    with own.s3() as s3:
        check(s3)
    assert sql(own, "SELECT answer FROM kept") == "42"

    before = pods(own)
    helm("upgrade", *chart)
    assert {name: own.secret(f"{RELEASE}-{name}") for name in secrets} == secrets
    assert pods(own) == before, "an upgrade that changes nothing restarts nothing"

    helm("uninstall", RELEASE, "--wait", "--cascade", "foreground", "--timeout", "2m")
    assert pods(own) == {}
    own.kubectl("get", "pvc", f"data-{RELEASE}-s3-0", f"data-{RELEASE}-postgres-0")
    own.kubectl("get", "crd", "trainingjobs.trainyard.dev")
