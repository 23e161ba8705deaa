"""The embedded cluster as such: what a pod may expect of it, and that it mends itself."""

import os
import signal
import urllib.request
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from localcluster.components import components
from localcluster.layout import NODE_IP, Layout
from localcluster.settings import Settings
from trainyard_devtools.clusters import Cluster, Embedded
from trainyard_devtools.repo import API_LISTEN, API_NODE_PORT, STATE

import localcluster
from localcluster import Publish

from .probes import Namespace, build_image, pod, until

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(300)]

SETTINGS = Settings("node", publish=(Publish.parse(f"{API_LISTEN}:{API_NODE_PORT}"),))
COMPONENTS = [component.name for component in components(Layout(Path("/state")), SETTINGS)]
SERVE = "import http.server; http.server.test(http.server.SimpleHTTPRequestHandler, port=8080)"


@pytest.fixture(scope="module")
def local(cluster: Cluster) -> localcluster.Cluster:
    if not isinstance(cluster, Embedded):
        pytest.skip(f"the chosen cluster is {cluster.name}, not localcluster's")
    return localcluster.Cluster(STATE / "cluster")


@pytest.fixture(scope="module")
def image(local: localcluster.Cluster, tmp_path_factory: pytest.TempPathFactory) -> str:
    return build_image(local, tmp_path_factory.mktemp("probe"))


@pytest.fixture(scope="module")
def namespace(local: localcluster.Cluster) -> Iterator[Namespace]:
    created = Namespace(local, f"localcluster-{uuid.uuid4().hex[:8]}")
    created.create()
    yield created
    created.delete()


@pytest.fixture(scope="module")
def web(namespace: Namespace, image: str) -> str:
    """Name of a running pod, and of the Service that leads to it."""
    namespace.apply(
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": "site"},
            "spec": {
                "type": "NodePort",
                "selector": {"app": "web"},
                "ports": [{"port": 80, "targetPort": 8080}],
            },
        }
    )
    namespace.run(pod("web", image, SERVE), phase="Running")
    return "web"


def test_a_pod_sees_its_limits(namespace: Namespace, image: str) -> None:
    script = """
import pathlib
root = pathlib.Path("/sys/fs/cgroup")
v2 = root / "memory.max"
print(v2.read_text() if v2.exists() else (root / "memory/memory.limit_in_bytes").read_text())
print("Seccomp", *[l for l in open("/proc/self/status") if l.startswith("Seccomp:")])
"""
    namespace.run(pod("limited", image, script, limits={"cpu": "200m", "memory": "64Mi"}))
    log = namespace.kubectl("logs", "limited")
    assert log.split()[0] == str(64 * 1024 * 1024)
    assert log.split()[-1] == "2"


def test_a_pod_over_its_memory_limit_is_oom_killed(namespace: Namespace, image: str) -> None:
    # The kernel tells of it only after the start is complete, so a moment passes first.
    script = "import time; time.sleep(1); x = b'x' * (256 << 20)"
    failed = namespace.run(pod("greedy", image, script, limits={"memory": "32Mi"}), phase="Failed")
    [status] = failed["status"]["containerStatuses"]
    assert status["state"]["terminated"]["reason"] == "OOMKilled"


@pytest.mark.parametrize("short", [True, False])
def test_a_service_is_found_by_name(
    namespace: Namespace, image: str, web: str, *, short: bool
) -> None:
    host = "site" if short else f"site.{namespace.name}.svc.cluster.local"
    script = f"import urllib.request as r; print(r.urlopen('http://{host}/', timeout=10).status)"
    name = f"client-{short}".lower()
    namespace.run(pod(name, image, script))
    assert namespace.kubectl("logs", name) == "200\n"


def test_a_pod_reaches_itself_through_its_service(namespace: Namespace, web: str) -> None:
    script = "import urllib.request as r; print(r.urlopen('http://site/', timeout=10).status)"
    assert namespace.kubectl("exec", web, "--", "python3", "-c", script) == "200\n"


def test_a_pod_reaches_the_api(namespace: Namespace, web: str) -> None:
    script = (
        "import urllib.request as r, ssl;"
        "d = '/var/run/secrets/kubernetes.io/serviceaccount/';"
        "c = ssl.create_default_context(cafile=d + 'ca.crt');"
        "print(r.urlopen('https://kubernetes.default.svc/readyz', context=c).read().decode())"
    )
    assert namespace.kubectl("exec", web, "--", "python3", "-c", script) == "ok\n"


def test_the_machine_reaches_services_and_node_ports(namespace: Namespace, web: str) -> None:
    spec = namespace.get("service/site")["spec"]
    node_port = spec["ports"][0]["nodePort"]
    for url in (f"http://{spec['clusterIP']}/", f"http://{NODE_IP}:{node_port}/"):
        with urllib.request.urlopen(url, timeout=10) as answer:
            assert answer.status == 200


def test_a_claim_is_bound_writable_and_its_volume_comes_back_empty(
    namespace: Namespace, image: str, local: localcluster.Cluster
) -> None:
    claim = {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": "data"},
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}},
    }
    namespace.apply(claim)
    writer = pod("writer", image, "open('/data/file', 'w').write('kept')")
    writer["spec"]["volumes"] = [{"name": "data", "persistentVolumeClaim": {"claimName": "data"}}]
    writer["spec"]["containers"][0]["volumeMounts"] = [{"name": "data", "mountPath": "/data"}]
    namespace.run(writer)
    volume = namespace.get("persistentvolumeclaim/data")["spec"]["volumeName"]
    folder = local.layout.volumes / volume
    assert (folder / "file").read_text() == "kept"

    namespace.kubectl("delete", "pod/writer", "persistentvolumeclaim/data")
    # In one request: in between, the volume is deleted and made anew.
    phase = (
        f"persistentvolume/{volume}",
        "--ignore-not-found",
        "--output=jsonpath={.status.phase}",
    )
    until(lambda: namespace.kubectl("get", *phase) == "Available")
    assert list(folder.iterdir()) == []


def test_up_again_changes_nothing(local: localcluster.Cluster) -> None:
    before = local.report()
    settings = Settings.load(local.layout.settings)
    assert before is not None
    assert settings is not None
    local.up(publish=settings.publish, registry_port=settings.registry_port)
    assert local.report() == before


@pytest.mark.parametrize("component", COMPONENTS)
def test_a_killed_component_comes_back(
    local: localcluster.Cluster, namespace: Namespace, image: str, web: str, component: str
) -> None:
    def state() -> localcluster.ComponentState:
        report = local.report()
        assert report is not None
        return report.components[component]

    until(lambda: state().state == "ready")
    before = state()
    started = namespace.get(f"pod/{web}")["status"]["startTime"]
    assert before.pid is not None
    os.kill(before.pid, signal.SIGKILL)
    until(lambda: state().restarts > before.restarts and state().state == "ready")
    assert state().last_exit == -signal.SIGKILL

    name = f"after-{component}"
    namespace.run(pod(name, image, "print('works')"))
    assert namespace.kubectl("logs", name) == "works\n"
    still = namespace.get(f"pod/{web}")["status"]
    assert still["startTime"] == started
    assert still["containerStatuses"][0]["restartCount"] == 0
