"""A training in full: fields, metrics, versions."""

from trainyard_schema import LOWER_IS_BETTER

from trainyard_client.cli.output import (
    ago,
    clean,
    console,
    duration,
    print_fields,
    print_table,
    size,
)
from trainyard_client.views import Job, Metric, ModelTypeStatus, QueuePlace


def print_job(job: Job) -> None:
    """All that is known about a training."""
    progress = job.progress
    done = None
    if progress and progress.total is not None:
        done = f"{progress.percent} %, {progress.done} of {progress.total} {progress.unit or ''}"
    print_fields(
        {
            "Name": job.job_id,
            "Model": job.model,
            "Type": job.model_type,
            "Status": job.status,
            "Phase": f"{job.phase}, {job.stage}" if job.phase and job.stage else job.phase,
            "Reason": job.reason,
            "Message": job.message,
            "Queue": _place(job.queue),
            "Progress": done,
            "Attempts": job.attempts,
            "Memory": f"raised to {job.oom_retries[-1].memory}" if job.oom_retries else None,
            "Created": f"{job.created_at:%Y-%m-%d %H:%M:%S} UTC, {ago(job.created_at)} ago",
            "Took": _took(job),
        }
    )
    if job.model_types:
        console().print()
        rows = [
            [one.model_type, one.phase, one.stage, one.percent, one.attempts, _why(one)]
            for one in job.model_types
        ]
        print_table(["TYPE", "PHASE", "STAGE", "PERCENT", "ATTEMPTS", "MESSAGE"], rows)
    print_results(job)


def print_results(job: Job) -> None:
    """Metrics side by side, one model type a column, and where the versions are."""
    types = list(dict.fromkeys(metric.model_type for metric in job.metrics))
    for split in dict.fromkeys(metric.split for metric in job.metrics):
        values: dict[str, dict[str, float | None]] = {}
        for metric in job.metrics:
            if metric.split == split:
                values.setdefault(metric.name, {})[metric.model_type] = metric.value
        rows = [
            [name, *(_decimal(row.get(kind)) for kind in types)] for name, row in values.items()
        ]
        console().print()
        print_table([split.upper(), *(kind.upper() for kind in types)], rows)
    if job.models:
        console().print()
        versions = [
            [model.model_type, model.current, size(model.size_bytes), model.uri]
            for model in job.models
        ]
        print_table(["TYPE", "CURRENT", "SIZE", "VERSION"], versions)


def best_metric(job: Job) -> str | None:
    """The first metric of the holdout, of the best model type, as `name=value`."""
    holdout = [metric for metric in job.metrics if metric.split == "holdout"]
    if not holdout:
        return None
    name = holdout[0].name
    values = [
        metric.value for metric in holdout if metric.name == name and metric.value is not None
    ]
    if not values:
        return None
    best = min(values) if name in LOWER_IS_BETTER else max(values)
    return clean(f"{name}={best:.4f}")


def metric_text(metrics: tuple[Metric, ...]) -> str | None:
    """The first metric of the holdout of one version, as `name=value`."""
    for metric in metrics:
        if metric.split == "holdout" and metric.value is not None:
            return f"{metric.name}={metric.value:.4f}"
    return None


def _why(one: ModelTypeStatus) -> str:
    return ": ".join(filter(None, [one.reason, one.message]))


def _decimal(value: float | None) -> str | None:
    return None if value is None else f"{value:.4f}"


def _place(queue: QueuePlace | None) -> str | None:
    if queue is None:
        return None
    text = f"{queue.position} of {queue.length}"
    if queue.estimated_start_time is None:
        return text
    return f"{text}, estimated start {queue.estimated_start_time:%Y-%m-%d %H:%M} UTC"


def _took(job: Job) -> str | None:
    if job.start_time is None or job.completion_time is None:
        return None
    return duration((job.completion_time - job.start_time).total_seconds())
