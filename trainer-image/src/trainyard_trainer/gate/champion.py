"""The candidate beside the champion, on the same rows."""

from pathlib import Path

import structlog

from trainyard_trainer.gate import holdout
from trainyard_trainer.gate.candidate import Measured
from trainyard_trainer.gate.case import Case
from trainyard_trainer.gate.comparison import Comparison, Scores, compare
from trainyard_trainer.gate.findings import Findings
from trainyard_trainer.gate.versions import UNUSABLE, holdout_of, load, manifest_of

_log = structlog.get_logger()


class IncomparableError(Exception):
    """The champion does another task, or nothing that can be compared."""


def compare_with(
    case: Case, uri: str, measured: Measured, folder: Path, findings: Findings
) -> Comparison | None:
    """The metric of both on the candidate's holdout; None if that has no meaning there. Raises
    IncomparableError, or one of UNUSABLE, if the champion cannot be compared.
    """
    champion = load(case, uri, folder)
    task, classes = champion.schema.task, champion.schema.classes
    if (task, classes) != (measured.schema.task, measured.schema.classes):
        known = f" with the classes {', '.join(map(str, classes[:10]))}" if classes else ""
        raise IncomparableError(f"{uri} is for another task: {task}{known}")
    if measured.manifest.holdout is None and holdout_of(manifest_of(folder)) != holdout_of(
        measured.manifest
    ):
        findings.notes.append(
            "the holdout is not the champion's own, so the champion may have learned from some of "
            "its rows, which speaks for it"
        )
    try:
        prediction = holdout.predict(measured.rows, champion)
    except UNUSABLE:
        raise
    except Exception as error:
        # Whatever its library makes of it, it does not speak against the candidate.
        raise IncomparableError(f"{uri} cannot score: {type(error).__name__}: {error}") from error
    scores = Scores(prediction, champion.schema.threshold)
    found = compare(
        measured.metric,
        task,
        measured.known.truth,
        measured.scores,
        scores,
        confidence=case.gate.confidence,
        seed=case.seed,
    )
    if found is not None:
        _log.info("champion is measured", **found.to_dict())
    elif measured.value is not None:
        raise IncomparableError(f"{uri} predicts what is no number")
    return found


def margin_failure(case: Case, found: Comparison | None) -> str | None:
    """Why the candidate is not good enough beside the champion; None if it is, or was not asked."""
    margin = case.gate.margin
    if margin is None or found is None:
        return None
    if found.lower_bound is not None and found.lower_bound >= -margin:
        return None
    bound = "unknown" if found.lower_bound is None else f"{found.lower_bound:.4g}"
    return (
        f"{found.metric} is {found.candidate:.4g} and the champion's {found.champion:.4g}: how "
        f"much better it is may be as low as {bound} (one-sided, {found.confidence:.4g}), below "
        f"the margin of -{margin:g}"
    )
