"""Fixtures and order of the whole suite: quick tests first, one cluster for all that need one."""

import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

import pytest
from trainyard_devtools.clusters import Cluster, choose
from trainyard_devtools.deploy import ready
from trainyard_devtools.kube import Kube

_ORDER = ("component", "lifecycle", "cluster")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Unit, component, lifecycle, cluster: the cheap failures show first.

    Lifecycle tests bring clusters of their own up and down, so they run before the shared one.
    Where several workers run tests, they come first of all, since one worker has them to the end.
    """
    shared = hasattr(config, "workerinput")

    def rank(item: pytest.Item) -> int:
        for place, marker in enumerate(_ORDER, start=1):
            if item.get_closest_marker(marker):
                return -1 if shared and marker == "lifecycle" else place
        return 0

    items.sort(key=rank)


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
