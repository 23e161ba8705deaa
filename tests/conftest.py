"""Fixtures and order of the whole suite: quick tests first, one cluster for all that need one."""

import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from pathlib import Path

import pytest
from localcluster.nodebinary import node_binary
from localcluster.progress import Progress
from trainyard_devtools.clusters import Cluster, choose
from trainyard_devtools.deploy import ready
from trainyard_devtools.kube import Kube

from .component.control_plane import ControlPlane, control_plane, serve_kinds
from .component.object_store import S3Server
from .forking.forks import ForkServer

_ORDER = ("component", "lifecycle", "cluster")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Unit, component, lifecycle, cluster: the cheap failures show first.

    Lifecycle tests bring clusters of their own up and down, so they run before the shared one.
    Several workers go the other way: what takes long comes first, what is short fills the gaps.
    """

    def rank(item: pytest.Item) -> int:
        for place, marker in enumerate(_ORDER, start=1):
            if item.get_closest_marker(marker):
                return place
        return 0

    items.sort(key=rank, reverse=hasattr(config, "workerinput"))


Aloud = Callable[[], AbstractContextManager[None]]


@pytest.fixture(scope="session")
def aloud(request: pytest.FixtureRequest) -> Aloud:
    """A block in which is shown what is printed: for preparations that take minutes."""
    capture = request.config.pluginmanager.getplugin("capturemanager")

    @contextmanager
    def shown() -> Iterator[None]:
        with capture.global_and_fixture_disabled():
            print()  # noqa: T201 - the line of dots ends here
            yield

    return shown


@pytest.fixture(scope="session")
def node_program(aloud: Aloud, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Kubernetes as one program, linked now if this machine has not linked it yet."""
    log = tmp_path_factory.mktemp("node-binary") / "go-build.log"
    with aloud(), Progress().step("making sure of the node binary", log):
        return node_binary(log)


@pytest.fixture(scope="session")
def kubernetes(
    node_program: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ControlPlane]:
    """A control plane that serves both kinds. Each test keeps to a namespace of its own."""
    with control_plane(node_program, tmp_path_factory.mktemp("control-plane")) as plane:
        serve_kinds(plane)
        yield plane


@pytest.fixture(scope="session")
def s3() -> Iterator[S3Server]:
    server = S3Server()
    yield server
    server.stop()


@pytest.fixture(scope="session")
def operators() -> Iterator[ForkServer]:
    """Starts processes of the operator."""
    with closing(ForkServer("trainyard_controller.main")) as server:
        yield server


@pytest.fixture(scope="session")
def apis() -> Iterator[ForkServer]:
    """Starts processes of the Train API."""
    with closing(ForkServer("trainyard_api.main")) as server:
        yield server


@pytest.fixture(scope="session")
def cluster(aloud: Aloud) -> Iterator[Cluster]:
    """The cluster of this clone with the release in it, as `make up` leaves it.

    A cluster that was up before stays up; one that the tests brought up is taken away again.
    """
    chosen = choose(os.environ.get("CLUSTER") or None)
    was_up = chosen.is_up()
    with aloud():
        ready(chosen)
    yield chosen
    if not was_up:
        chosen.down()


@pytest.fixture(scope="session")
def kube(cluster: Cluster) -> Kube:
    """Clients of the cluster, in the release's namespace."""
    return Kube(cluster.kubeconfig, cluster.kubectl)
