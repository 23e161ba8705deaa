"""The parts of Jobs and pods that are kept in memory: what is asked of them, and nothing else.

What is left out is no news either, so that nobody looks at a run for it.
"""

from collections.abc import Collection, Mapping
from typing import Any

from trainyard_schema import names

from trainyard_controller.objects import Document, owner_uid

_METADATA = ("name", "uid", "resourceVersion", "creationTimestamp", "deletionTimestamp")
_JOB_LABELS = (names.UID_LABEL, names.KUEUE_QUEUE_LABEL)
_JOB_STATUS = ("startTime", "completionTime", "failedIndexes")
_POD_LABELS = (names.UID_LABEL,)
_POD_ANNOTATIONS = (names.COMPLETION_INDEX_ANNOTATION, names.MODEL_TYPES_ANNOTATION)
_POD_STATUS = ("phase", "reason", "message", "podIP")
_POD_CONDITIONS = ("PodScheduled", "DisruptionTarget")
_CONDITION = ("type", "status", "reason", "message", "lastTransitionTime")
_CONTAINER = ("name", "image", "state")
_OWNER = ("kind", "name", "uid")


def slim_job(document: Document) -> Document:
    """A Job without its pod template, and without counts of pods: those are known."""
    status = document.get("status") or {}
    conditions = [_some(one, _CONDITION) for one in status.get("conditions") or ()]
    return {
        "metadata": _metadata(document, _JOB_LABELS),
        "spec": {"suspend": document["spec"].get("suspend", False)},
        "status": _some(status, _JOB_STATUS) | {"conditions": conditions},
    }


def slim_finished_job(document: Document) -> Document:
    """What is asked of the Job of a finished run: which one it is, and whether it goes."""
    metadata = _some(document["metadata"], ("name", "uid", "resourceVersion", "deletionTimestamp"))
    return {"metadata": metadata | {"labels": {names.UID_LABEL: owner_uid(document)}}}


def slim_pod(document: Document) -> Document:
    """A pod without its spec, and of its status what tells of its trainer."""
    metadata, status = document["metadata"], document.get("status") or {}
    owners = metadata.get("ownerReferences") or ()
    conditions = status.get("conditions") or ()
    containers = status.get("containerStatuses") or ()
    return {
        "metadata": {
            **_metadata(document, _POD_LABELS),
            "annotations": _some(metadata.get("annotations") or {}, _POD_ANNOTATIONS),
            "ownerReferences": [_some(one, _OWNER) for one in owners],
        },
        "status": {
            **_some(status, _POD_STATUS),
            "conditions": [
                _some(one, _CONDITION) for one in conditions if one["type"] in _POD_CONDITIONS
            ],
            "containerStatuses": [
                _some(one, _CONTAINER)
                for one in containers
                if one["name"] == names.TRAINER_CONTAINER
            ],
        },
    }


def _metadata(document: Document, labels: Collection[str]) -> Document:
    metadata = document["metadata"]
    return _some(metadata, _METADATA) | {"labels": _some(metadata.get("labels") or {}, labels)}


def _some(fields: Mapping[str, Any], kept: Collection[str]) -> Document:
    return {name: fields[name] for name in kept if name in fields}
