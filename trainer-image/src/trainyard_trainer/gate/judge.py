"""One case, from the store to the verdict."""

import gc
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import structlog
from trainyard_schema import Manifest, Reason, Verdict
from trainyard_schema.artifacts import GOLDEN_ROWS, HOLDOUT, MANIFEST, MODEL_FILES
from trainyard_schema.spec import parse_quantity

from trainyard_trainer import golden_rows
from trainyard_trainer.errors import TrainerError
from trainyard_trainer.gate import holdout, latency, policy, slices
from trainyard_trainer.gate.case import Assessment, Case, as_text, short
from trainyard_trainer.gate.comparison import Comparison, Scores, compare, value_of
from trainyard_trainer.gate.holdout import Known
from trainyard_trainer.loading import ModelNotFoundError, load_model
from trainyard_trainer.scoring import (
    CorruptedVersionError,
    MissingLibraryError,
    Scorer,
    read_manifest,
)
from trainyard_trainer.version_files import VersionSchema

_log = structlog.get_logger()
UNUSABLE = (ModelNotFoundError, CorruptedVersionError, MissingLibraryError, TrainerError)
"""What makes a version one that cannot be loaded, or not score these rows."""
_BY_HAND = "; bring the champion back, or promote this version by hand"


@dataclass
class Findings:
    """What was found so far."""

    failures: list[str] = field(default_factory=list)
    doubts: list[str] = field(default_factory=list)
    """What keeps it from passing, but is not the candidate's fault."""
    notes: list[str] = field(default_factory=list)
    measured: dict[str, Any] = field(default_factory=dict)
    """Fields of the assessment."""

    def fail(self, reasons: Iterable[str | None]) -> None:
        """Add those reasons that there are."""
        self.failures += [reason for reason in reasons if reason is not None]


class IncomparableError(Exception):
    """The champion does another task."""


@dataclass
class Measured:
    """The candidate on its holdout."""

    manifest: Manifest
    schema: VersionSchema
    rows: Path
    known: Known
    scores: Scores
    metric: str
    value: float | None


def judge(case: Case, folder: Path) -> Assessment:
    """Load, score, compare. Versions are downloaded into `folder`."""
    findings = Findings()
    try:
        candidate = _load(case, case.candidate, folder / "candidate")
        measured = _check(case, candidate, folder / "candidate", findings)
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
            comparison = _compare(case, case.champion, measured, folder / "champion", findings)
        except (*UNUSABLE, IncomparableError) as error:
            blame = findings.notes if case.gate.margin is None else findings.doubts
            blame.append(f"not compared with the champion: {error}" + _BY_HAND)
        else:
            findings.fail([_margin_failure(case, comparison)])
    elif case.gate.margin is not None and case.champion is None:
        findings.notes.append("there is no champion yet, so nothing was compared")
    return _assessment(case, measured, comparison, findings)


def _load(case: Case, uri: str, folder: Path) -> Scorer:
    scorer = load_model(
        uri, folder=folder, endpoint_url=case.storage.endpoint_url, threads=case.threads
    )
    _log.info("version is loaded", uri=uri)
    return scorer


def _check(case: Case, candidate: Scorer, folder: Path, findings: Findings) -> Measured | None:
    """Everything that can be said of the candidate alone."""
    gate, task = case.gate, candidate.schema.task
    manifest = _manifest(folder)
    findings.fail([_golden_failure(candidate, folder, manifest, findings)])
    findings.fail([_size_failure(case, manifest, findings)])
    metric = policy.metric_of(gate, task)
    if metric is None:
        findings.fail([policy.unknown_metric(gate, task)])
        return None
    rows = folder / HOLDOUT
    known = holdout.know(rows, candidate.schema, [item.column for item in gate.slices])
    scores = Scores(holdout.predict(rows, candidate), candidate.schema.threshold)
    value = value_of(metric, task, known.truth, scores)
    findings.measured["holdout_rows"] = len(known.truth)
    _log.info("candidate is measured", rows=len(known.truth), **{metric: value})
    measured = Measured(manifest, candidate.schema, rows, known, scores, metric, value)
    _check_floors(case, measured, findings)
    if gate.max_latency_ms is not None:
        some, _ = golden_rows.read(folder / GOLDEN_ROWS)
        found = latency.measure(candidate.predict, some, case.threads)
        findings.measured["latency"] = found
        findings.fail([latency.failure(found, gate.max_latency_ms)])
    return measured


def _manifest(folder: Path) -> Manifest:
    """Of a version that was loaded from there, and so checked."""
    return read_manifest((folder / MANIFEST).read_bytes(), folder)


def _golden_failure(
    candidate: Scorer, folder: Path, manifest: Manifest, findings: Findings
) -> str | None:
    if GOLDEN_ROWS not in {entry.name for entry in manifest.files}:
        return f"the version has no {GOLDEN_ROWS}: it was filed by an older trainer; train it again"
    rows, expected = golden_rows.read(folder / GOLDEN_ROWS)
    far = golden_rows.difference(candidate.schema.task, expected, candidate.predict(rows))
    findings.measured |= {"golden_rows": len(rows), "golden_difference": float(f"{far:.3g}")}
    if far <= 1:
        return None
    return (
        f"loaded again, the model predicts something else for its {len(rows)} golden rows than "
        f"training did: {far:.3g} times the tolerance"
    )


def _size_failure(case: Case, manifest: Manifest, findings: Findings) -> str | None:
    name = MODEL_FILES[manifest.model_type]
    size = next(entry.size_bytes for entry in manifest.files if entry.name == name)
    findings.measured["size_bytes"] = size
    if case.gate.max_size is None or size <= parse_quantity(case.gate.max_size):
        return None
    return f"{name} has {size} bytes ({size / 2**20:.1f}Mi), more than maxSize {case.gate.max_size}"


def _check_floors(case: Case, measured: Measured, findings: Findings) -> None:
    gate, task, name = case.gate, measured.schema.task, measured.metric
    if measured.value is None:
        if gate.floor is not None or gate.margin is not None:
            findings.fail([f"{name} has no meaning on this holdout: only one class occurs in it"])
    else:
        findings.fail([slices.floor_failure(name, measured.value, gate.floor)])
    found = []
    for item in gate.slices:
        values = measured.known.columns.get(item.column)
        if values is None:
            findings.doubts.append(
                f"the frozen holdout has no column {item.column!r} to slice by; give rows that "
                "have it as data.holdout, or take the slice out of the gate"
            )
            continue
        parts = slices.measure(
            name, task, measured.known.truth, measured.scores, values, asked=item
        )
        failures, notes = slices.slice_reasons(name, item, parts)
        findings.fail(failures)
        findings.notes += notes
        found += parts
    if gate.slices:
        findings.measured["slices"] = found


def _compare(
    case: Case, uri: str, measured: Measured, folder: Path, findings: Findings
) -> Comparison | None:
    """Raises IncomparableError, or one of UNUSABLE, if it cannot be."""
    champion = _load(case, uri, folder)
    task, classes = champion.schema.task, champion.schema.classes
    if (task, classes) != (measured.schema.task, measured.schema.classes):
        known = f" with the classes {', '.join(map(str, classes[:10]))}" if classes else ""
        raise IncomparableError(f"{uri} is for another task: {task}{known}")
    if measured.manifest.holdout is None and _holdout_of(_manifest(folder)) != _holdout_of(
        measured.manifest
    ):
        findings.notes.append(
            "the holdout is not the champion's own, so the champion may have learned from some of "
            "its rows, which speaks for it"
        )
    scores = Scores(holdout.predict(measured.rows, champion), champion.schema.threshold)
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
    return found


def _holdout_of(manifest: Manifest) -> str | None:
    """SHA-256 of its holdout."""
    return next((entry.sha256 for entry in manifest.files if entry.name == HOLDOUT), None)


def _margin_failure(case: Case, found: Comparison | None) -> str | None:
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
