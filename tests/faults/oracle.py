"""What must hold whatever happens: looked at while it happens, and in the end."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from trainyard_schema import TERMINAL_PHASES, names

from .upstream import Document

_TIME = re.compile(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|\+00:00)$")
_OF_A_UID = re.compile(r"-[0-9a-f]{8}(?=-r\d+$|$)")


class Witness:
    """Sees every change of a namespace, and takes note of what must not be."""

    def __init__(self) -> None:
        self.violations: list[str] = []
        self.phases: dict[str, list[str]] = {}
        """The phases of each TrainingJob, by its uid, in order."""
        self._jobs: dict[str, dict[str, str]] = {}
        self._final: dict[str, Document] = {}

    def see(self, event: Document) -> None:
        """Take note of what a watch of TrainingJobs or Jobs tells."""
        document = event["object"]
        gone = event["type"] == "DELETED"
        match document["kind"]:
            case names.KIND:
                self._see_training_job(document)
            case "Job":
                self._see_job(document, gone=gone)

    def _see_training_job(self, document: Document) -> None:
        uid, name = document["metadata"]["uid"], document["metadata"]["name"]
        status = document.get("status") or {}
        phase = status.get("phase")
        seen = self.phases.setdefault(uid, [])
        if phase is not None and seen[-1:] != [phase]:
            seen.append(phase)
        final = self._final.get(uid)
        if final is not None and status != final:
            self.violations.append(f"{name} had ended: {difference(final, status)}")
        if phase in TERMINAL_PHASES:
            self._final[uid] = status

    def _see_job(self, document: Document, *, gone: bool) -> None:
        metadata = document["metadata"]
        owner = controller(document)
        jobs = self._jobs.setdefault(owner, {})
        if gone or "deletionTimestamp" in metadata:
            jobs.pop(metadata["uid"], None)
        else:
            jobs[metadata["uid"]] = metadata["name"]
        if len(jobs) > 1:
            self.violations.append(f"{owner} has several Jobs at once: {sorted(jobs.values())}")


def controller(document: Document) -> str:
    """The uid of the object's controller; empty where it has none."""
    owners = document["metadata"].get("ownerReferences") or []
    return next((owner["uid"] for owner in owners if owner.get("controller")), "")


def orphans(
    training_jobs: Iterable[Document], jobs: Iterable[Document], pods: Iterable[Document]
) -> list[str]:
    """Jobs without their TrainingJob, pods without their Job."""
    job_list = list(jobs)
    parents = {one["metadata"]["uid"] for one in training_jobs}
    job_uids = {one["metadata"]["uid"] for one in job_list}
    lost = [one for one in job_list if controller(one) not in parents]
    lost += [one for one in pods if controller(one) not in job_uids]
    return [one["metadata"]["name"] for one in lost]


def end_state(
    training_jobs: Iterable[Document], jobs: Iterable[Document], pods: Iterable[Document]
) -> dict[str, Any]:
    """All that two runs of the same life have in common in the end: no uid, no time, no version."""
    return {
        "trainingJobs": {
            one["metadata"]["name"]: _timeless({"spec": one["spec"], "status": one.get("status")})
            for one in training_jobs
        },
        "jobs": {_timeless(one["metadata"]["name"]): _job(one) for one in jobs},
        "pods": sorted(_pod(one) for one in pods),
    }


def _timeless(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _timeless(one) for key, one in value.items()}
    if isinstance(value, list):
        return [_timeless(one) for one in value]
    if isinstance(value, str):
        return "<time>" if _TIME.match(value) else _OF_A_UID.sub("-<uid>", value)
    return value


def _job(job: Document) -> Document:
    status = job.get("status") or {}
    conditions = sorted(
        f"{one['type']} {one.get('reason', '')}"
        for one in status.get("conditions") or []
        if one["status"] == "True"
    )
    counts = ("succeeded", "failed", "completedIndexes", "failedIndexes")
    return {"conditions": conditions, **{key: status.get(key) for key in counts}}


def _pod(pod: Document) -> tuple[str, str]:
    index = (pod["metadata"].get("annotations") or {}).get(names.COMPLETION_INDEX_ANNOTATION, "")
    return index, pod["status"].get("phase", "")


Told = Counter[tuple[str, str, str]]
"""Name of the TrainingJob, reason and message of Events, and how often each was told."""


def told(events: Iterable[Document]) -> Told:
    """What the operator's Events tell."""
    return Counter(
        (one["involvedObject"]["name"], one["reason"], _timeless(one["message"])) for one in events
    )


def difference(expected: Any, found: Any, where: str = "") -> list[str]:
    """What differs, a line for each leaf."""
    if isinstance(expected, Mapping) and isinstance(found, Mapping):
        return [
            line
            for key in sorted({*expected, *found})
            for line in difference(expected.get(key), found.get(key), f"{where}.{key}")
        ]
    return [] if expected == found else [f"{where}: {found!r} instead of {expected!r}"]
