"""What becomes of a run's versions: a pure function of the Model, the run and the time."""

from datetime import datetime

from trainyard_schema import (
    Action,
    Candidate,
    Champion,
    Judgement,
    ModelSpec,
    ModelStatus,
    ModelVersion,
    Outcome,
    Phase,
    Verdict,
)

from trainyard_controller import leaderboard
from trainyard_controller.announce import Announcement
from trainyard_controller.models.transition import OPERATOR, Decision, promote
from trainyard_controller.objects import TrainingJob

CANDIDATES = 5
"""Versions that can await approval; of more, the oldest is forgotten (it stays in the store)."""


def judge(status: ModelStatus, spec: ModelSpec, run: TrainingJob, now: datetime) -> Decision:
    """Decide about a finished run. Promoted is the best version that passed its gate."""
    done = status.model_copy(update={"judged": [*status.judged, run.name]})
    versions = _best_first(run)
    if not versions:
        return Decision(status=done)
    version, outcome, reasons = _outcome(status, spec, run, versions)
    verdict = _verdict(run, version)
    candidate = Candidate(
        model_type=version.model_type,
        version=version.version,
        uri=version.uri,
        sha256=version.sha256,
        run=run.name,
        metric=_metric(run, version, verdict),
        since=now,
        reasons=[reason[:1024] for reason in reasons[:10]],
        verdict=verdict,
    )
    judgement = Judgement(
        run=run.name,
        model_type=candidate.model_type,
        version=candidate.version,
        outcome=outcome,
        metric=candidate.metric,
        reasons=candidate.reasons,
        time=now,
    )
    done = done.model_copy(update={"last_verdict": judgement})
    if outcome is Outcome.PROMOTED:
        why = f"{run.name} passed the gate"
        done = promote(done, candidate, Action.PROMOTED, by=OPERATOR, why=why, now=now)
    elif outcome is Outcome.AWAITING_APPROVAL:
        others = [one for one in done.candidates if one.version != candidate.version]
        done = done.model_copy(update={"candidates": [candidate, *others][:CANDIDATES]})
    return Decision(status=done, announced=(_announcement(judgement, done),))


def _outcome(
    status: ModelStatus, spec: ModelSpec, run: TrainingJob, versions: list[ModelVersion]
) -> tuple[ModelVersion, Outcome, list[str]]:
    """Which version the run is about, what becomes of it, and why."""
    best = versions[0]
    if run.status.phase is not Phase.SUCCEEDED:
        why = f"the run ended as {run.status.phase}: {run.status.message or run.status.reason}"
        return best, Outcome.REJECTED, [why]
    for version in versions:
        if status.champion is not None and version.version == status.champion.version:
            return version, Outcome.UNCHANGED, ["it is the champion already: nothing has changed"]
        verdict = _verdict(run, version)
        if verdict is not None and verdict.passed:
            doubts = _doubts(status, spec, verdict)
            outcome = Outcome.AWAITING_APPROVAL if doubts else Outcome.PROMOTED
            return version, outcome, [*doubts, *verdict.reasons]
    for version in versions:
        verdict = _verdict(run, version)
        if verdict is not None and verdict.undecided:
            return version, Outcome.AWAITING_APPROVAL, verdict.reasons
    verdict = _verdict(run, best)
    reasons = ["the run has no verdict of the gate"] if verdict is None else verdict.reasons
    return best, Outcome.REJECTED, reasons


def _doubts(status: ModelStatus, spec: ModelSpec, verdict: Verdict) -> list[str]:
    """Why a person has to decide about a version that passed."""
    doubts = []
    if spec.promotion.approval == "manual":
        doubts.append("spec.promotion.approval is manual")
    champion = _name(status.champion)
    if verdict.champion != (status.champion.uri if status.champion else None):
        compared = verdict.champion or "no champion"
        doubts.append(f"it was compared with {compared}, but by now the champion is {champion}")
    taken_back = {
        one.from_.version
        for one in status.history
        if one.action is Action.ROLLED_BACK and one.from_ is not None
    }
    turned_down = {one.version for one in status.history if one.action is Action.REJECTED}
    if verdict.version in taken_back | turned_down:
        doubts.append("it was rolled back or rejected before")
    return doubts


def _name(champion: Champion | None) -> str:
    return champion.version if champion else "none"


def _best_first(run: TrainingJob) -> list[ModelVersion]:
    """The run's whole versions as the leaderboard has them."""
    ranks = {
        metric.model_type: rank
        for rank, metric in enumerate(leaderboard.ranking(run.status.metrics))
    }
    whole = [version for version in run.status.models if not version.partial]
    return sorted(whole, key=lambda version: ranks.get(version.model_type, len(ranks)))


def _verdict(run: TrainingJob, version: ModelVersion) -> Verdict | None:
    for verdict in run.status.verdicts or []:
        if (verdict.model_type, verdict.version) == (version.model_type, version.version):
            return verdict
    return None


def _metric(run: TrainingJob, version: ModelVersion, verdict: Verdict | None) -> str | None:
    if verdict is not None and verdict.metric and verdict.value:
        return leaderboard.metric_text(verdict.metric, verdict.value)
    of_type = [metric for metric in run.status.metrics if metric.model_type == version.model_type]
    return leaderboard.primary_metric(of_type)


def _announcement(judgement: Judgement, status: ModelStatus) -> Announcement:
    what = f"{judgement.version} of {judgement.run}"
    if judgement.metric:
        what += f" ({judgement.metric})"
    if judgement.outcome is Outcome.PROMOTED and status.champion:
        what += f" is the champion, by transition {status.champion.transition}"
    if judgement.reasons:
        what += f": {'; '.join(judgement.reasons)}"
    return Announcement(
        type="Warning" if judgement.outcome is Outcome.REJECTED else "Normal",
        reason=str(judgement.outcome),
        message=what,
    )
