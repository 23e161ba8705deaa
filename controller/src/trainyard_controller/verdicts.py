"""What the gate said of a run's versions."""

from collections.abc import Iterable, Sequence

from trainyard_schema import ModelVersion, RunResult, Verdict

from trainyard_controller.announce import Announcement


def merge(
    models: Sequence[ModelVersion], known: Iterable[Verdict], results: Iterable[RunResult]
) -> list[Verdict]:
    """The verdict on each of the versions, in their order. What is known stays as it is."""
    found = [*known, *(result.verdict for result in results if result.verdict is not None)]
    # The first one counts.
    by_version = {(one.model_type, one.version): one for one in reversed(found)}
    keys = [(model.model_type, model.version) for model in models]
    return [by_version[key] for key in keys if key in by_version]


def summary(verdicts: Sequence[Verdict]) -> str:
    """One line for the status' message; empty if there is no verdict."""
    passed = [str(verdict.model_type) for verdict in verdicts if verdict.passed]
    parts = [f"{', '.join(passed)} passed the gate"] if passed else []
    for verdict in verdicts:
        if not verdict.passed:
            why = verdict.reasons[0] if verdict.reasons else "no reason given"
            how = "awaits a decision" if verdict.undecided else "did not pass the gate"
            parts.append(f"{verdict.model_type} {how}: {why}")
    return "; ".join(parts)


def announcements(before: Sequence[Verdict], after: Sequence[Verdict]) -> list[Announcement]:
    """An Event for each verdict that is new."""
    return [
        Announcement(
            type="Normal" if verdict.passed else "Warning",
            reason="GatePassed" if verdict.passed else "GateFailed",
            message=_told(verdict),
        )
        for verdict in after
        if verdict not in before
    ]


def _told(verdict: Verdict) -> str:
    text = f"{verdict.model_type} {verdict.version}"
    if verdict.metric and verdict.value:
        text += f": {verdict.metric}={float(verdict.value):.4f}"
    if verdict.champion_value:
        text += f", champion {float(verdict.champion_value):.4f}"
    return "; ".join([text, *verdict.reasons])
