"""What tests of the queue share: runs that wait, a node that ends pods, and who ran when."""

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from trainyard_schema import TERMINAL_PHASES, QueuePlace, names

from ..control_plane import Rest, wait_for
from .conftest import Lab
from .results import result

ALL_TRAINING_JOBS = f"/apis/{names.API_VERSION}/{names.PLURAL}"
PROMPT = """
from trainyard_controller.queue import admission
admission.TELL_SECONDS = 0.3
admission.LOOK_SECONDS = 0.1
"""
"""Places are told as soon as they change."""


def succeed(lab: Lab, name: str) -> None:
    """End the one pod of a run well."""
    lab.end_pod(lab.pod(name), 0, result())
    lab.until(name, "Succeeded")


def place(lab: Lab, name: str) -> QueuePlace | None:
    """The place that a run has been told; none if it is not queued."""
    return lab.status(name).queue


def queued(lab: Lab, name: str, position: int) -> QueuePlace:
    """Wait until a run is told that it has this position."""

    def told() -> QueuePlace | None:
        found = place(lab, name)
        return found if found is not None and found.position == position else None

    return wait_for(f"{name} is told position {position}", told)


def next_second() -> None:
    """Wait until what is created next has a later creationTimestamp."""
    now = datetime.now(UTC).replace(microsecond=0)
    wait_for("the next second", lambda: datetime.now(UTC) > now + timedelta(seconds=1))


def is_over(job: dict[str, Any]) -> bool:
    """Whether a Job takes no slot by itself: it has ended, or is suspended."""
    conditions = job.get("status", {}).get("conditions", [])
    ended = any(c["type"] in ("Complete", "Failed") and c["status"] == "True" for c in conditions)
    return ended or bool(job["spec"].get("suspend"))


@dataclass
class Jobs:
    """Every change of a Job or TrainingJob in some namespaces.

    A run has a slot from the Job's creation to its own end, which may come before the Job's.
    """

    namespaces: frozenset[str]
    events: list[dict[str, Any]] = field(default_factory=list)

    def _going(self) -> Iterator[set[tuple[str, str]]]:
        going: set[tuple[str, str]] = set()
        ended: set[tuple[str, str]] = set()
        for event in sorted(self.events, key=_version):
            document, metadata = event["object"], event["object"]["metadata"]
            if metadata["namespace"] not in self.namespaces:
                continue
            if document["kind"] == names.KIND:
                if document.get("status", {}).get("phase") in TERMINAL_PHASES:
                    ended.add((metadata["namespace"], metadata["uid"]))
            else:
                key = (metadata["namespace"], metadata["labels"][names.UID_LABEL])
                over = event["type"] == "DELETED" or is_over(document)
                (going.discard if over else going.add)(key)
            yield going - ended

    @property
    def most(self) -> int:
        """How many went at a time at most."""
        return max((len(going) for going in self._going()), default=0)

    @property
    def most_of_a_namespace(self) -> int:
        """How many of one namespace went at a time at most."""
        counts = (Counter(namespace for namespace, _ in going) for going in self._going())
        return max((max(count.values(), default=0) for count in counts), default=0)

    @property
    def created(self) -> list[str]:
        """The uids of all Jobs."""
        return [
            event["object"]["metadata"]["uid"]
            for event in self.events
            if event["type"] == "ADDED" and event["object"]["kind"] == "Job"
        ]


def _version(event: dict[str, Any]) -> int:
    return int(event["object"]["metadata"]["resourceVersion"])


@contextmanager
def watched(rest: Rest, *namespaces: str) -> Iterator[Jobs]:
    """Follow the Jobs and TrainingJobs of these namespaces by watches, which miss nothing."""
    jobs, over = Jobs(frozenset(namespaces)), threading.Event()

    def follow(path: str, version: str, **query: str) -> None:
        while not over.is_set():
            for event in rest.watch(path, resourceVersion=version, timeoutSeconds="1", **query):
                jobs.events.append(event)
                version = event["object"]["metadata"]["resourceVersion"]

    ours = {"labelSelector": f"{names.MANAGED_BY_LABEL}={names.MANAGED_BY}"}
    threads = []
    for path, query in (("/apis/batch/v1/jobs", ours), (ALL_TRAINING_JOBS, {})):
        listed = rest.get(path, limit="1")
        assert listed is not None
        first = (path, listed["metadata"]["resourceVersion"])
        threads.append(threading.Thread(target=follow, args=first, kwargs=query))
    for thread in threads:
        thread.start()
    try:
        yield jobs
    finally:
        over.set()
        for thread in threads:
            thread.join()


def end_whatever_runs(*labs: Lab) -> None:
    """What a fast node does: every pod that is there ends well."""
    for lab in labs:
        for pod in lab.rest.items(f"{lab.core}/pods"):
            if pod["status"].get("phase") == "Pending":
                lab.end_pod(pod, 0, result())
