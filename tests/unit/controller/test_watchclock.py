import asyncio
from dataclasses import dataclass

import pytest
from trainyard_controller.resources import namespace_of, resource_of
from trainyard_controller.watchclock import JOBS, KINDS, MODELS, PODS, WatchClock
from trainyard_schema import names


@dataclass
class Clock:
    """A monotonic clock."""

    time: float = 100.0

    def __call__(self) -> float:
        return self.time


def path_of(kind: str, namespace: str) -> str:
    root = {PODS: "/api/v1", JOBS: "/apis/batch/v1"}.get(kind, f"/apis/{names.API_VERSION}")
    return f"{root}/namespaces/{namespace}/{kind}"


@pytest.mark.parametrize(
    ("path", "namespace", "resource"),
    [
        ("/api/v1/namespaces/lab/pods", "lab", "pods"),
        ("/apis/batch/v1/namespaces/lab/jobs/one", "lab", "jobs"),
        ("/apis/trainyard.dev/v1alpha1/namespaces/lab/trainingjobs/one/status", "lab",
         "trainingjobs/status"),
        ("/api/v1/namespaces/lab", "", "namespaces"),
        ("/apis/scheduling.k8s.io/v1/priorityclasses", "", "priorityclasses"),
        ("/apis/batch/v1", "", ""),
        ("/apis", "", ""),
    ],
)  # fmt: skip
def test_a_path_names_a_resource_and_a_namespace(path: str, namespace: str, resource: str) -> None:
    assert (namespace_of(path), resource_of(path)) == (namespace, resource)


def test_the_watch_that_asked_longest_ago_counts() -> None:
    clock = Clock()
    watches = WatchClock(["a", "b"], clock)
    clock.time += 10
    watches.ask(path_of(JOBS, "a"), watch=True)
    # That of the other namespace has yet to ask for anything.
    assert watches.request_ages()[JOBS] == 10
    watches.ask(path_of(JOBS, "b"), watch=False)
    clock.time += 5
    assert watches.request_ages() == {**dict.fromkeys(KINDS, 15.0), JOBS: 5.0}


def test_requests_for_other_things_are_no_sign_of_life() -> None:
    clock = Clock()
    watches = WatchClock(["a"], clock)
    clock.time += 10
    for path in ("/apis/batch/v1", path_of(JOBS, "z"), "/api/v1/namespaces/a/secrets"):
        watches.ask(path, watch=True)
    assert set(watches.request_ages().values()) == {10.0}


async def test_all_is_listed_when_every_watch_has_begun() -> None:
    watches = WatchClock(["a", "b"])
    listed = asyncio.create_task(watches.listed())
    for namespace in ("a", "b"):
        for kind in KINDS:
            assert not listed.done()
            watches.ask(path_of(kind, namespace), watch=False)
            watches.ask(path_of(kind, namespace), watch=True)
            await asyncio.sleep(0)
    async with asyncio.timeout(5):
        await listed


def test_an_event_is_a_sign_of_the_kind_that_it_is_of() -> None:
    clock = Clock()
    watches = WatchClock(["a"], clock)
    clock.time += 10
    watches.tick(MODELS)
    assert watches.last(MODELS) == clock.time
    assert watches.ages() == {**dict.fromkeys(KINDS, 10.0), MODELS: 0.0}
