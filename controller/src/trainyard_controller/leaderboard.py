"""Which of a run's models is the best, and the results that are known so far."""

from collections.abc import Iterable, Sequence

from trainyard_schema import LOWER_IS_BETTER, Metric, ModelType, ModelVersion, RunResult

_ORDER = {model_type: position for position, model_type in enumerate(ModelType)}


def merge(
    models: Sequence[ModelVersion], metrics: Sequence[Metric], results: Iterable[RunResult]
) -> tuple[list[ModelVersion], list[Metric]]:
    """Add the results of pods to what the status already has.

    What is there stays as it is, but for a partial version, which a later or a whole one replaces.
    """
    by_type = {model.model_type: model for model in models}
    numbers = {(m.model_type, m.split, m.name): m for m in metrics}
    for found in results:
        version = found.version
        if version is None or not _replaces(version, by_type.get(version.model_type)):
            continue
        by_type[version.model_type] = version
        numbers.update({(m.model_type, m.split, m.name): m for m in found.metrics})
    return (
        sorted(by_type.values(), key=lambda model: _ORDER[model.model_type]),
        # Sorting is stable: within a model type the trainer's own order stays.
        sorted(numbers.values(), key=lambda metric: _ORDER[metric.model_type]),
    )


def _replaces(version: ModelVersion, known: ModelVersion | None) -> bool:
    if known is None:
        return True
    # Versions sort by time.
    later = version.version > known.version
    return bool(known.partial) and (not version.partial or later)


def ranking(metrics: Sequence[Metric]) -> list[Metric]:
    """The first holdout metric of each model type, the best first."""
    primary: dict[ModelType, Metric] = {}
    for metric in metrics:
        if metric.split == "holdout":
            primary.setdefault(metric.model_type, metric)
    if not primary:
        return []
    candidates = list(primary.values())
    name = candidates[0].name
    comparable = [metric for metric in candidates if metric.name == name]
    return sorted(
        comparable,
        key=lambda metric: float(metric.value),
        reverse=name not in LOWER_IS_BETTER,
    )


def best(metrics: Sequence[Metric]) -> Metric | None:
    """The first holdout metric of each model type, and of these the best."""
    return next(iter(ranking(metrics)), None)


def metric_text(name: str, value: str) -> str:
    """A metric for tables, for example `roc_auc=0.8453`."""
    number = float(value)
    return f"{name}={number:.4f}" if abs(number) < 1e9 else f"{name}={number:.4g}"


def primary_metric(metrics: Sequence[Metric]) -> str | None:
    """The best model's metric for tables."""
    metric = best(metrics)
    return metric_text(metric.name, metric.value) if metric else None
