"""What people ask of a champion by annotation: a pure function of the Model, the request, the time.

Each new value of an annotation is answered once, in the status write that does what it asks.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from trainyard_schema import Action, Candidate, Manifest, ModelStatus
from trainyard_schema.artifacts import MODEL_FILES
from trainyard_schema.names import VERSION_PATTERN

from trainyard_controller import leaderboard
from trainyard_controller.announce import Announcement
from trainyard_controller.models.objects import Model, Request
from trainyard_controller.models.transition import Decision, promote, roll_back, turn_down

_REFUSED = "refused to "


@dataclass(frozen=True)
class Found:
    """A version that was asked for, as its manifest tells of it."""

    uri: str
    manifest: Manifest


def wanted_version(model: Model) -> str | None:
    """The version that is to be looked up before `answer`; None if there is none."""
    pending = _pending(model)
    if pending is None or pending[0] is not _answer_promote:
        return None
    version = _version(pending[1])
    return version if re.match(VERSION_PATTERN, version) else None


def is_asked(model: Model) -> bool:
    """Whether a request waits for its answer."""
    return _pending(model) is not None


def answer(model: Model, found: Found | None, now: datetime) -> Decision | None:
    """Do what the first request asks, or say why not. `found`: the `wanted_version`, if it is
    there.
    """
    pending = _pending(model)
    if pending is None:
        return None
    answer_it, request = pending
    return answer_it(model, request, found, now)


_Answer = Callable[[Model, Request, Found | None, datetime], Decision]


def _pending(model: Model) -> tuple[_Answer, Request] | None:
    status = model.status
    if model.rollback and model.rollback.value != status.last_handled_rollback:
        return _answer_rollback, model.rollback
    if model.promote and model.promote.value != status.last_handled_promote:
        return _answer_promote, model.promote
    if model.reject and model.reject.value != status.last_handled_reject:
        return _answer_reject, model.reject
    return None


def _answer_rollback(model: Model, request: Request, _: Found | None, now: datetime) -> Decision:
    status = model.status
    handled = _handled(status, last_handled_rollback=request.value)
    if status.previous is None:
        return _refuse(handled, request, "roll back", "there is no previous champion")
    why = f"rollback requested: {request.value}"
    return _done(
        roll_back(handled, status.previous, by=request.by, why=why, now=now),
        f"{status.previous.version} is the champion again",
    )


def _answer_promote(model: Model, request: Request, found: Found | None, now: datetime) -> Decision:
    status = model.status
    handled = _handled(status, last_handled_promote=request.value)
    version = _version(request)
    what = f"promote {version}"
    if status.champion is not None and status.champion.version == version:
        return _refuse(handled, request, what, "it is the champion")
    if found is None:
        where = f"models/{model.name}/"
        return _refuse(handled, request, what, f"there is no such version in {where}")
    if found.manifest.partial:
        return _refuse(handled, request, what, "it is partial: its run was cancelled")
    waiting = next((one for one in status.candidates if one.version == version), None)
    action = Action.CHOSEN if waiting is None else Action.APPROVED
    why = f"{'chosen' if waiting is None else 'approved'} by request"
    candidate = _candidate(found, now) if waiting is None else waiting
    return _done(
        promote(handled, candidate, action, by=request.by, why=why, now=now),
        f"{version} is the champion",
    )


def _answer_reject(model: Model, request: Request, _: Found | None, now: datetime) -> Decision:
    status = model.status
    handled = _handled(status, last_handled_reject=request.value)
    version = _version(request)
    waiting = next((one for one in status.candidates if one.version == version), None)
    if waiting is None:
        return _refuse(handled, request, f"reject {version}", "it does not await approval")
    why = "rejected by request"
    return _done(
        turn_down(handled, waiting, by=request.by, why=why, now=now), f"{version} is no candidate"
    )


def _version(request: Request) -> str:
    return request.value.split(maxsplit=1)[0] if request.value.strip() else ""


def _handled(status: ModelStatus, **handled: str) -> ModelStatus:
    refused = (status.message or "").startswith(_REFUSED)
    return status.model_copy(update={**handled, **({"message": None} if refused else {})})


def _refuse(status: ModelStatus, request: Request, what: str, why: str) -> Decision:
    message = f"{_REFUSED}{what}: {why}"
    told = Announcement(
        type="Warning",
        reason="RequestRefused",
        message=f"{message} (asked by {request.by}: {request.value})",
    )
    return Decision(status=status.model_copy(update={"message": message}), announced=(told,))


def _done(status: ModelStatus, what: str) -> Decision:
    entry = status.history[-1]
    message = f"{what}, by transition {entry.number}: {entry.why} ({entry.by})"
    told = Announcement(type="Normal", reason=str(entry.action), message=message)
    return Decision(status=status, announced=(told,))


def _candidate(found: Found, now: datetime) -> Candidate:
    manifest = found.manifest
    file = MODEL_FILES[manifest.model_type]
    sha256 = next((one.sha256 for one in manifest.files if one.name == file), "")
    return Candidate(
        model_type=manifest.model_type,
        version=manifest.version,
        uri=found.uri,
        sha256=sha256,
        run=manifest.training_job.rpartition("/")[2],
        metric=leaderboard.primary_metric(manifest.metrics),
        since=now,
        reasons=[],
    )
