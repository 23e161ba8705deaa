"""Coming and going: what `up` makes is gone after `down`, and no crash is in its way."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from localcluster.buildah import RUN_ROOT
from localcluster.cleanup import remove_from_machine
from localcluster.machine import pods_processes
from localcluster.owner import RECORD, read_owner
from localcluster.processes import ProcessId, end, processes_of

import localcluster
from localcluster import Publish, packages

from .probes import Machine, Namespace, build_image, pod

pytestmark = [pytest.mark.lifecycle, pytest.mark.timeout(900)]

PUBLISH = (Publish("127.0.0.1", 18000, 30999),)
REGISTRY_PORT = 15050


@pytest.fixture(scope="module")
def prepared(node_program: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    """What an `up` installs and builds first: the machine is looked at before one."""
    if missing := packages.missing_packages():
        packages.install(missing, tmp_path_factory.mktemp("packages") / "packages.log")


@pytest.fixture(autouse=True)
def _no_other_cluster(prepared: None, tmp_path: Path) -> None:
    owner = read_owner()
    if owner is not None and owner.alive:
        pytest.skip(f"the cluster of {owner.state} is up, and there can be one at a time")
    # What a killed run left would be in the picture of the machine that a test starts from.
    localcluster.Cluster(tmp_path / "remains").down()


@pytest.fixture
def new_cluster() -> Iterator[Callable[[], localcluster.Cluster]]:
    """Clusters in folders of their own, not brought up; all are taken down in the end."""
    made: list[localcluster.Cluster] = []

    def make() -> localcluster.Cluster:
        # Not pytest's folder: a socket's path has to be short.
        made.append(localcluster.Cluster(tempfile.mkdtemp(prefix="localcluster-")))
        return made[-1]

    yield make
    for cluster in made:
        cluster.down(purge=True)


def up(cluster: localcluster.Cluster) -> None:
    cluster.up(publish=PUBLISH, registry_port=REGISTRY_PORT)


def with_running_pod(cluster: localcluster.Cluster, folder: Path) -> str:
    """Start a pod with a volume of every kind that is a mount; its UID."""
    image = build_image(cluster, folder)
    namespace = Namespace(cluster, "lifecycle")
    namespace.create()
    sleeper = pod("sleeper", image, "import time; time.sleep(3600)", limits={"memory": "32Mi"})
    sleeper["spec"]["volumes"] = [{"name": "memory", "emptyDir": {"medium": "Memory"}}]
    mounts = [{"name": "memory", "mountPath": "/memory"}]
    sleeper["spec"]["containers"][0]["volumeMounts"] = mounts
    return str(namespace.run(sleeper, phase="Running")["metadata"]["uid"])


def kill_everything(cluster: localcluster.Cluster) -> None:
    """End the cluster as a power cut would, but for what the kernel keeps."""
    report = cluster.report()
    assert report is not None
    end([report.identity.pid, *processes_of(cluster.layout.state)])
    end(pods_processes())


def forget_as_a_reboot_does(cluster: localcluster.Cluster) -> None:
    """Take away what lives in the kernel and in /run, and leave the disk as it is."""
    remove_from_machine(cluster.layout, None)
    for folder in (RECORD.parent, RUN_ROOT, Path("/run/containerd")):
        shutil.rmtree(folder, ignore_errors=True)


def test_down_leaves_the_machine_as_it_was(
    new_cluster: Callable[[], localcluster.Cluster], tmp_path: Path
) -> None:
    before = Machine.look()
    cluster = new_cluster()
    up(cluster)
    with_running_pod(cluster, tmp_path)
    assert Machine.look() != before
    cluster.down()
    assert Machine.look() == before
    assert [path.name for path in cluster.layout.state.iterdir()] == ["logs"]
    cluster.down(purge=True)
    assert not cluster.layout.state.exists()


def test_another_folder_is_refused_then_recovers_from_the_remains(
    new_cluster: Callable[[], localcluster.Cluster], tmp_path: Path
) -> None:
    before = Machine.look()
    first, second = new_cluster(), new_cluster()
    up(first)
    with_running_pod(first, tmp_path)
    with pytest.raises(localcluster.ClusterAliveError, match=str(first.layout.state)):
        up(second)
    second.down()
    assert first.running

    kill_everything(first)
    remains = Machine.look()
    assert remains.rules != before.rules
    assert remains.mounts != before.mounts
    up(second)
    with_running_pod(second, tmp_path)
    assert not [point for point in Machine.look().mounts if str(first.layout.state) in point]
    second.down()
    assert Machine.look() == before


def test_a_pod_outlives_its_killed_supervisor(
    new_cluster: Callable[[], localcluster.Cluster], tmp_path: Path
) -> None:
    cluster = new_cluster()
    up(cluster)
    uid = with_running_pod(cluster, tmp_path)
    report = cluster.report()
    assert report is not None
    os.kill(report.identity.pid, signal.SIGKILL)
    up(cluster)
    found = Namespace(cluster, "lifecycle").get("pod/sleeper")
    assert found["metadata"]["uid"] == uid
    assert found["status"]["phase"] == "Running"
    assert found["status"]["containerStatuses"][0]["restartCount"] == 0


@pytest.mark.parametrize("rebooted", [False, True])
def test_everything_killed_comes_back_with_its_data(
    new_cluster: Callable[[], localcluster.Cluster], tmp_path: Path, *, rebooted: bool
) -> None:
    cluster = new_cluster()
    up(cluster)
    uid = with_running_pod(cluster, tmp_path)
    kill_everything(cluster)
    if rebooted:
        forget_as_a_reboot_does(cluster)
    up(cluster)
    namespace = Namespace(cluster, "lifecycle")
    assert namespace.get("pod/sleeper")["metadata"]["uid"] == uid
    image = build_image(cluster, tmp_path)
    namespace.run(pod("another", image, "print('works')"))


@pytest.mark.parametrize("seconds", [0.5, 1.5, 3, 5])
def test_up_recovers_from_an_up_that_was_killed(
    new_cluster: Callable[[], localcluster.Cluster], seconds: float
) -> None:
    cluster = new_cluster()
    command = [sys.executable, "-m", "localcluster.cli", "up", f"--state={cluster.layout.state}"]
    command += [f"--publish={PUBLISH[0]}", f"--registry-port={REGISTRY_PORT}"]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as started:
        identity = ProcessId.of(started.pid)
        time.sleep(seconds)  # the moment of the kill is the test's parameter
        assert identity is not None
        started.kill()
    up(cluster)
    assert "local" in cluster.kubectl("get", "nodes")


def test_down_works_where_nothing_is_up(
    new_cluster: Callable[[], localcluster.Cluster],
) -> None:
    before = Machine.look()
    cluster = new_cluster()
    cluster.down()
    shutil.rmtree(cluster.layout.state)
    cluster.down()
    assert Machine.look() == before
