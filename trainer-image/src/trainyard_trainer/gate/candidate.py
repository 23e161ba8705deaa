"""Everything that can be said of a candidate alone."""

from dataclasses import dataclass
from pathlib import Path

import structlog
from trainyard_schema import Manifest
from trainyard_schema.artifacts import GOLDEN_ROWS, HOLDOUT, MODEL_FILES
from trainyard_schema.spec import parse_quantity

from trainyard_trainer import golden_rows
from trainyard_trainer.gate import holdout, latency, policy, slices
from trainyard_trainer.gate.case import Case
from trainyard_trainer.gate.comparison import Scores, value_of
from trainyard_trainer.gate.findings import Findings
from trainyard_trainer.gate.holdout import Known
from trainyard_trainer.gate.versions import manifest_of
from trainyard_trainer.scoring import Scorer
from trainyard_trainer.version_files import VersionSchema

_log = structlog.get_logger()


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


def check(case: Case, candidate: Scorer, folder: Path, findings: Findings) -> Measured | None:
    """Load it, score its golden rows and its holdout, and hold it to the gate. None if it cannot be
    measured. Raises TrainerError if it cannot score the rows.
    """
    gate, task = case.gate, candidate.schema.task
    manifest = manifest_of(folder)
    missing = {GOLDEN_ROWS, HOLDOUT} - {entry.name for entry in manifest.files}
    if missing:
        findings.fail(
            [f"the version has no {min(missing)}: an older trainer filed it; train again"]
        )
        return None
    findings.fail([_golden_failure(candidate, folder, findings)])
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


def _golden_failure(candidate: Scorer, folder: Path, findings: Findings) -> str | None:
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
