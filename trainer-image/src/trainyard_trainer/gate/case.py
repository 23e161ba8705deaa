"""What the gate is asked and what it answers: the documents between the run and its gate."""

from datetime import UTC, datetime
from typing import Self

from pydantic import Field
from trainyard_schema import Gate, Model, ModelType, StorageConfig, Verdict, VersionKey
from trainyard_schema.artifacts import MANIFEST

from trainyard_trainer.gate.comparison import Comparison
from trainyard_trainer.gate.latency import Latency
from trainyard_trainer.gate.slices import SliceValue
from trainyard_trainer.storage import split_uri

_MOST_REASONS = 8
_LONGEST_REASON = 256


class Case(Model):
    """All that the gate's process knows."""

    candidate: str = Field(description="s3:// URI of the version to judge; ends in /.")
    champion: str | None = Field(default=None, description="The one to compare it with.")
    gate: Gate
    storage: StorageConfig
    seed: int = Field(description="Of the bootstrap.")
    threads: int = Field(ge=1)

    @property
    def key(self) -> VersionKey:
        """Of the candidate. Raises ValueError if its URI is none of a version."""
        found = version_key(self.candidate)
        if found is None:
            raise ValueError(f"{self.candidate} is no URI of a version")
        return found


def version_key(uri: str) -> VersionKey | None:
    """The version that a URI names by where versions are filed; None if it is filed elsewhere."""
    return VersionKey.from_manifest_key(split_uri(uri)[1] + MANIFEST)


class Assessment(Model):
    """`verdict.json`: the verdict and what it rests on. What was not asked, or not reached, is
    absent.
    """

    assessment_version: int = 1
    judged_at: datetime
    verdict: Verdict
    gate: Gate
    reasons: list[str] = Field(description="All of them, in full.")
    holdout_rows: int | None = None
    golden_rows: int | None = None
    golden_difference: float | None = Field(
        default=None, description="Largest one to what training predicted, 1 being the tolerance."
    )
    comparison: Comparison | None = None
    slices: list[SliceValue] | None = None
    size_bytes: int | None = None
    latency: Latency | None = None

    @classmethod
    def failed(cls, case: Case, reason: str, *, undecided: bool = False) -> Self:
        """Of a version of which nothing else is known."""
        return cls(
            judged_at=datetime.now(UTC),
            gate=case.gate,
            reasons=[reason],
            verdict=Verdict(
                model_type=ModelType(case.key.model_type),
                version=case.key.version,
                passed=False,
                undecided=undecided or None,
                reasons=short([reason]),
                champion=case.champion,
            ),
        )


def short(reasons: list[str]) -> list[str]:
    """As many reasons as a status holds, each as long as it holds."""
    lines = [" ".join(reason.split()) for reason in reasons]
    if len(lines) > _MOST_REASONS:
        left = len(lines) - _MOST_REASONS + 1
        lines = [*lines[: _MOST_REASONS - 1], f"and {left} more, in verdict.json of the version"]
    return [
        line if len(line) <= _LONGEST_REASON else line[: _LONGEST_REASON - 1] + "…"
        for line in lines
    ]


def as_text(value: float) -> str:
    """A number as statuses have it."""
    return f"{value:.6g}"
