"""What is said about a version beyond its line in a list."""

from datetime import datetime
from typing import Any, Self

from pydantic import Field
from trainyard_schema import ModelType, Verdict

from trainyard_api.store import StoredVersion
from trainyard_api.trainings.views import AvailableModel, View


class VersionFile(View):
    """A file of a version, to be read under its name."""

    name: str
    size_bytes: int
    sha256: str


class Source(View):
    """One object that the training table, or the holdout, was read from."""

    uri: str
    etag: str
    sha256: str
    size_bytes: int


class VerdictView(View):
    """What the gate found out about a version."""

    passed: bool
    undecided: bool = Field(description="A person has to decide.")
    reasons: list[str]
    metric: str | None
    value: float | None
    champion: str | None = Field(description="URI of the version it was compared with.")
    champion_value: float | None = Field(description="Of the metric, on the same rows.")
    lower_bound: float | None = Field(
        description="Of how much better than the champion's the value is; negative is worse."
    )

    @classmethod
    def of(cls, verdict: Verdict) -> Self:
        """A verdict with its numbers as numbers."""
        return cls(
            passed=verdict.passed,
            undecided=bool(verdict.undecided),
            reasons=verdict.reasons,
            metric=verdict.metric,
            value=_number(verdict.value),
            champion=verdict.champion,
            champion_value=_number(verdict.champion_value),
            lower_bound=_number(verdict.lower_bound),
        )


class VersionDetails(AvailableModel):
    """A version, as its manifest tells of it."""

    task: str | None
    exclude: list[str]
    training_rows: int | None
    holdout_rows: int | None
    metric_intervals: dict[str, tuple[float, float]] = Field(
        description="95 % confidence intervals of the holdout's metrics."
    )
    mode: str | None = Field(description="full or incremental.")
    partial: bool = Field(description="Saved when its run was cancelled; never promoted by itself.")
    hyperparameters: dict[str, Any]
    seed: int | None
    data: list[Source]
    holdout: Source | None = Field(description="Null: the holdout was drawn from the data.")
    warnings: list[str]
    files: list[VersionFile]
    image: str | None
    libraries: dict[str, str]
    requester: str | None
    parent_version: str | None
    training_job: str | None = Field(description="namespace/name of the TrainingJob.")
    verdict: VerdictView | None = Field(description="Of the gate; null where there is none.")

    @classmethod
    def with_verdict(cls, stored: StoredVersion, verdict: Verdict | None) -> Self:
        """The view of a version; what its manifest tells is null where that cannot be read."""
        manifest = stored.manifest
        told: dict[str, Any] = dict.fromkeys(cls.model_fields)
        told |= {"exclude": [], "metric_intervals": {}, "partial": False, "hyperparameters": {}}
        told |= {"data": [], "warnings": [], "files": [], "libraries": {}}
        if manifest is not None:
            told |= {name: getattr(manifest, name) for name in told if hasattr(manifest, name)}
        # `model_dump` of the line in a list: its metrics are numbers already.
        told |= AvailableModel.of(stored).model_dump()
        told["verdict"] = None if verdict is None else VerdictView.of(verdict)
        return cls.model_validate(told)


class TransitionView(View):
    """How a champion's place changed hands."""

    number: int
    time: datetime
    action: str
    version: str = Field(description="The version that it is about.")
    by: str = Field(description="Who asked for it; operator: nobody had to.")
    why: str
    from_version: str | None = Field(description="The champion before.")
    champion: str | None = Field(description="The champion from then on.")
    champion_model_type: ModelType | None
    champion_uri: str | None
    champion_metric: str | None = Field(description="Of the holdout, as name=value.")
    manifest_sha256: str | None
    verdict: VerdictView | None


def _number(text: str | None) -> float | None:
    try:
        return None if text is None else float(text)
    except ValueError:
        return None
