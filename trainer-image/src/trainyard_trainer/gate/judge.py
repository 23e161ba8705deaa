"""One case, from the store to the verdict."""

import gc
from datetime import UTC, datetime
from pathlib import Path

from trainyard_schema import Reason, Verdict

from trainyard_trainer.errors import TrainerError
from trainyard_trainer.gate.candidate import Measured, check
from trainyard_trainer.gate.case import Assessment, Case, as_text, short
from trainyard_trainer.gate.champion import IncomparableError, compare_with, margin_failure
from trainyard_trainer.gate.comparison import Comparison
from trainyard_trainer.gate.findings import Findings
from trainyard_trainer.gate.versions import UNUSABLE, load

_BY_HAND = (
    "not compared with the champion, so bring it back, or promote this version by hand or not"
)


def judge(case: Case, folder: Path) -> Assessment:
    """Load, score, compare. Versions are downloaded into `folder`."""
    findings = Findings()
    try:
        candidate = load(case, case.candidate, folder / "candidate")
        measured = check(case, candidate, folder / "candidate", findings)
    except UNUSABLE as error:
        away = isinstance(error, TrainerError) and error.reason == Reason.STORAGE_UNAVAILABLE
        blame = findings.doubts if away else findings.failures
        blame.append(f"the candidate cannot be used: {error}")
        return _assessment(case, None, None, findings)
    del candidate
    gc.collect()
    comparison = None
    if case.champion is not None and measured is not None:
        try:
            comparison = compare_with(case, case.champion, measured, folder / "champion", findings)
        except (*UNUSABLE, IncomparableError) as error:
            if case.gate.margin is None:
                findings.notes.append(f"not compared with the champion: {error}")
            else:
                findings.doubts.append(f"{_BY_HAND}: {error}")
        else:
            findings.fail([margin_failure(case, comparison)])
    elif case.gate.margin is not None and case.champion is None:
        findings.notes.append("there is no champion yet, so nothing was compared")
    return _assessment(case, measured, comparison, findings)


def _assessment(
    case: Case, measured: Measured | None, comparison: Comparison | None, findings: Findings
) -> Assessment:
    reasons = [*findings.failures, *findings.doubts, *findings.notes]
    value = measured.value if measured else None
    verdict = Verdict(
        model_type=case.key.model_type,
        version=case.key.version,
        passed=not findings.failures and not findings.doubts,
        undecided=(not findings.failures and bool(findings.doubts)) or None,
        reasons=short(reasons),
        metric=measured.metric if measured else None,
        value=None if value is None else as_text(value),
        champion=case.champion,
        champion_value=None if comparison is None else as_text(comparison.champion),
        lower_bound=(
            None
            if comparison is None or comparison.lower_bound is None
            else as_text(comparison.lower_bound)
        ),
    )
    return Assessment(
        judged_at=datetime.now(UTC),
        verdict=verdict,
        gate=case.gate,
        reasons=reasons,
        comparison=comparison,
        **findings.measured,
    )
