"""Two versions side by side. Pure: from their documents to what is said about them."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from pydantic import Field
from trainyard_schema import LOWER_IS_BETTER, Manifest, Verdict
from trainyard_schema.artifacts import HOLDOUT

from trainyard_api.store import StoredVersion
from trainyard_api.trainings.views import View
from trainyard_api.versions.views import VerdictView

Pair = tuple[Any, Any]


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """A version with what was measured of it."""

    stored: StoredVersion
    manifest: Manifest
    metrics: Mapping[str, Any]
    """`metrics.json`; empty where there is none."""
    assessment: Mapping[str, Any]
    """`verdict.json`; empty where there is none."""
    verdict: Verdict | None


class HoldoutComparison(View):
    """Whether the metrics of both can be compared at all."""

    same: bool | None = Field(description="Null: it is not known.")
    message: str


class MetricComparison(View):
    """One metric of both."""

    name: str
    split: str = Field(description="holdout or cross-validation.")
    values: tuple[float | None, float | None] = Field(description="In the order of `versions`.")
    intervals: tuple[tuple[float, float] | None, tuple[float, float] | None] = Field(
        description="95 % confidence intervals, by bootstrap."
    )
    difference: float | None = Field(description="The second value minus the first.")
    lower_is_better: bool
    better: str | None = Field(description="The version with the better value; null: neither.")


class SliceComparison(View):
    """The gate's metric for the rows with one value of a column, where both were judged so."""

    column: str
    value: str
    metric: str | None
    rows: tuple[int, int]
    values: tuple[float | None, float | None]
    passed: tuple[bool, bool]
    difference: float | None


class Difference(View):
    """Something in which the two differ; null: one has nothing of the kind."""

    name: str
    values: tuple[Any, Any] = Field(description="In the order of `versions`.")


class Comparison(View):
    """Two versions side by side; pairs are in the order of `versions`."""

    model: str
    versions: tuple[str, str]
    holdout: HoldoutComparison
    metrics: list[MetricComparison]
    verdicts: tuple[VerdictView | None, VerdictView | None]
    slices: list[SliceComparison]
    hyperparameters: list[Difference] = Field(description="Those that differ.")
    data: list[Difference] = Field(description="What differs in what they learned from, and how.")

    @classmethod
    def of(cls, first: Evidence, second: Evidence) -> Self:
        """Compare two versions of one model."""
        names = first.stored.key.version, second.stored.key.version
        manifests = first.manifest, second.manifest
        return cls(
            model=first.stored.key.model,
            versions=names,
            holdout=_holdout(*manifests),
            metrics=_metrics(names, first, second),
            verdicts=(_verdict(first), _verdict(second)),
            slices=_slices(first, second),
            hyperparameters=_differences(*(_flat(one.hyperparameters) for one in manifests)),
            data=_differences(*(_data(one) for one in manifests)),
        )


def _verdict(one: Evidence) -> VerdictView | None:
    return None if one.verdict is None else VerdictView.of(one.verdict)


def _holdout(first: Manifest, second: Manifest) -> HoldoutComparison:
    sums = [
        next((file.sha256 for file in one.files if file.name == HOLDOUT), None)
        for one in (first, second)
    ]
    if None in sums:
        return HoldoutComparison(
            same=None,
            message="a version has no holdout.parquet, so it is not known whether both were "
            "measured on the same rows",
        )
    if sums[0] == sums[1]:
        return HoldoutComparison(
            same=True, message=f"both were measured on the same {first.holdout_rows} rows"
        )
    return HoldoutComparison(
        same=False,
        message="they were measured on different rows, so a difference may come from the rows "
        "alone",
    )


def _metrics(names: tuple[str, str], first: Evidence, second: Evidence) -> list[MetricComparison]:
    found = [_values(one) for one in (first, second)]
    return [
        _metric(names, name, split, (found[0].get((split, name)), found[1].get((split, name))),
                (_interval(first, split, name), _interval(second, split, name)))
        for split, name in dict.fromkeys([*found[0], *found[1]])
    ]  # fmt: skip


def _metric(
    names: tuple[str, str], name: str, split: str, values: Pair, intervals: Pair
) -> MetricComparison:
    # The second of a cross-validation's numbers tells how far its folds are apart.
    lower = name in LOWER_IS_BETTER or name.endswith("_std")
    difference = _difference(values)
    better = None
    if difference:
        better = names[(difference < 0) == lower]
    return MetricComparison(
        name=name,
        split=split,
        values=values,
        intervals=intervals,
        difference=difference,
        lower_is_better=lower,
        better=better,
    )


def _values(one: Evidence) -> dict[tuple[str, str], float | None]:
    """By split and name: all of metrics.json where it is there, else what the manifest has."""
    manifest = {
        (str(metric.split), metric.name): _finite(metric.value) for metric in one.manifest.metrics
    }
    splits = {"holdout": "holdout", "cross-validation": "crossValidation"}
    file = {
        (split, name): _finite(value)
        for split, member in splits.items()
        for name, value in _mapping(one.metrics.get(member)).items()
    }
    return manifest | file


def _interval(one: Evidence, split: str, name: str) -> tuple[float, float] | None:
    if split != "holdout":
        return None
    found = _mapping(one.metrics.get("holdoutIntervals")) or one.manifest.metric_intervals
    match found.get(name):
        case [int() | float() as low, int() | float() as high]:
            return float(low), float(high)
    return None


def _slices(first: Evidence, second: Evidence) -> list[SliceComparison]:
    found = [
        {
            (item["column"], item["value"]): item
            for item in one.assessment.get("slices") or []
            if isinstance(item, dict) and {"column", "value", "rows", "passed"} <= item.keys()
        }
        for one in (first, second)
    ]
    metrics = {one.verdict.metric for one in (first, second) if one.verdict}
    if len(metrics) != 1:
        # Values of two metrics have no difference.
        return []
    pairs = [(key, found[0][key], found[1][key]) for key in found[0] if key in found[1]]
    return [
        SliceComparison(
            column=column,
            value=value,
            metric=next(iter(metrics)),
            rows=(a["rows"], b["rows"]),
            values=(values := (_finite(a.get("metric")), _finite(b.get("metric")))),
            passed=(a["passed"], b["passed"]),
            difference=_difference(values),
        )
        for (column, value), a, b in pairs
    ]


def _data(manifest: Manifest) -> dict[str, Any]:
    return {
        "model_type": str(manifest.model_type),
        "data": [{"uri": one.uri, "sha256": one.sha256} for one in manifest.data],
        "target": manifest.target,
        "exclude": manifest.exclude,
        "rows": manifest.rows,
        "training_rows": manifest.training_rows,
        "holdout_rows": manifest.holdout_rows,
        "holdout_fraction": manifest.holdout_fraction,
        "mode": manifest.mode,
        "parent_version": manifest.parent_version,
        "seed": manifest.seed,
        "image": manifest.image,
    }


def _flat(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in values.items():
        nested = isinstance(value, dict)
        flat |= _flat(value, f"{prefix}{name}.") if nested else {prefix + name: value}
    return flat


def _differences(first: Mapping[str, Any], second: Mapping[str, Any]) -> list[Difference]:
    return [
        Difference(name=name, values=(first.get(name), second.get(name)))
        for name in dict.fromkeys([*first, *second])
        if first.get(name) != second.get(name)
    ]


def _difference(values: Pair) -> float | None:
    first, second = values
    return None if first is None or second is None else second - first


def _finite(value: Any) -> float | None:
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    return number if math.isfinite(number) else None


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}
