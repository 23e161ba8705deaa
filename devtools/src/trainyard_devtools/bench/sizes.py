"""`make bench-trainer`: time and memory of the trainer beside a plain script, by size of table and model type.

Both run in the stage `bench` of the trainer's image, in a pod of one core, in turn, on the same CSV in the
bundled object store, with the same hyperparameters. CSV, since it is what most tables come as, and the
harder of the two formats: its types must be found. A pod makes the tables and uploads them
(`trainer-image/bench/table.py` tells how they are drawn); they are removed at the end.
"""

import json
import statistics
from collections.abc import Mapping, Sequence
from typing import Any

from rich.table import Table
from trainyard_schema import (
    DataSpec,
    ModelType,
    StorageConfig,
    TrainingJobSpec,
    run_config,
)

from trainyard_devtools.kube import S3_PORT, S3_SERVICE, Kube
from trainyard_devtools.pods import run_in_pod
from trainyard_devtools.repo import BUCKET
from trainyard_devtools.steps import StepError, console, step

SIZES = {"10k": 10_000, "100k": 100_000, "1m": 1_000_000}
REPEATS = {"10k": 5, "100k": 3, "1m": 1}
# Early stopping watches but never stops, so that both programs do the same number of rounds or epochs.
HYPERPARAMETERS: Mapping[ModelType, Mapping[str, Mapping[str, Any]]] = {
    ModelType.XGBOOST: {
        size: {"n_estimators": rounds, "early_stopping_rounds": rounds}
        for size, rounds in (("10k", 300), ("100k", 300), ("1m", 150))
    },
    ModelType.RANDOM_FOREST: {
        size: {"n_estimators": trees} for size, trees in (("10k", 100), ("100k", 30), ("1m", 6))
    },
    ModelType.NEURAL_NET: {
        size: {"max_epochs": epochs, "patience": epochs, "batch_size": batch}
        for size, epochs, batch in (("10k", 10, 128), ("100k", 4, 512), ("1m", 2, 2048))
    },
}
LIMITS = {"cpu": "1", "memory": "6Gi"}
SMALL_LIMITS = {"cpu": "1", "memory": "1Gi"}
_FOLDER = "bench/trainer/"
_TIMEOUT_SECONDS = 1200

Figures = Sequence[Mapping[str, Any]]
"""What `trainer-image/bench/measure.py` prints: one entry for each run."""


def case(
    model_type: ModelType,
    size: str,
    *,
    storage: StorageConfig,
    programs: Sequence[str] = ("trainer", "plain"),
    repeats: int | None = None,
) -> dict[str, Any]:
    """One entry of CASES for `trainer-image/bench/measure.py`."""
    data = DataSpec(uri=f"s3://{BUCKET}/{_FOLDER}rows-{SIZES[size]}.csv", target="y")
    spec = TrainingJobSpec(
        model_type=model_type.value,
        data=data,
        hyperparameters=dict(HYPERPARAMETERS[model_type][size]),
    )
    run = run_config(
        spec, namespace="bench", name="bench-trainer", uid="bench", storage=storage, image="bench"
    )
    return {
        "name": f"{model_type}/{size}",
        "run": run.to_dict(),
        "repeats": repeats or REPEATS[size],
        "programs": list(programs),
    }


def summary(figures: Figures, small: Figures) -> dict[str, Any]:
    """The JSON object on the last line. `small` is the run within 1 GiB."""

    def median(model_type: ModelType, size: str, program: str, figure: str) -> float:
        return statistics.median(
            entry[figure]
            for entry in figures
            if (entry["case"], entry["program"]) == (f"{model_type}/{size}", program)
        )

    def ratio(figure: str, size: str) -> dict[str, float]:
        return {
            str(model_type): round(
                median(model_type, size, "trainer", figure)
                / median(model_type, size, "plain", figure),
                2,
            )
            for model_type in ModelType
        }

    return {
        **{f"overhead_ratio_{size}": ratio("seconds", size) for size in SIZES},
        "peak_memory_ratio": ratio("peakMb", "1m"),
        "first_progress_seconds": round(
            statistics.median(
                entry["firstProgressSeconds"] for entry in figures if entry["program"] == "trainer"
            ),
            2,
        ),
        "xgboost_1m_peak_mb": round(small[0]["peakMb"]),
    }


def _table(figures: Figures) -> Table:
    table = Table(title="Medians of whole processes on one core")
    for heading in ("model type", "rows", "hyperparameters", "program"):
        table.add_column(heading)
    for heading in ("runs", "wall s", "CPU s", "peak MB"):
        table.add_column(heading, justify="right")
    for model_type in ModelType:
        for size, hyperparameters in HYPERPARAMETERS[model_type].items():
            for program in ("trainer", "plain"):
                name = f"{model_type}/{size}"
                runs = [e for e in figures if (e["case"], e["program"]) == (name, program)]
                told = ", ".join(f"{key} {value}" for key, value in hyperparameters.items())
                table.add_row(
                    *(str(model_type), size, told, program, str(len(runs))),
                    f"{statistics.median(e['seconds'] for e in runs):.1f}",
                    f"{statistics.median(e['cpuSeconds'] for e in runs):.1f}",
                    f"{statistics.median(e['peakMb'] for e in runs):.0f}",
                )
    return table


def _measure(
    kube: Kube, image: str, cases: Sequence[Mapping[str, Any]], limits: Mapping[str, str]
) -> Figures:
    log = run_in_pod(
        kube,
        image,
        ["python", "/opt/bench/measure.py"],
        environment={"CASES": json.dumps(cases)},
        limits=limits,
        timeout_seconds=_TIMEOUT_SECONDS,
    )
    marked = [line for line in log.splitlines() if line.startswith("FIGURES ")]
    if not marked:
        raise StepError(f"the trainer benchmark ended without figures:\n{log[-4000:]}")
    figures: Figures = json.loads(marked[0].removeprefix("FIGURES "))
    return figures


def bench_trainer(kube: Kube, image: str) -> dict[str, Any]:
    """Measure, print the table, and return the figures. `image` is the stage `bench`."""
    storage = StorageConfig(bucket=BUCKET, endpoint_url=f"http://{S3_SERVICE}:{S3_PORT}")
    figures: list[Mapping[str, Any]] = []
    try:
        with step("Make the tables and upload them"):
            run_in_pod(
                kube,
                image,
                ["python", "/opt/bench/table.py", f"s3://{BUCKET}/{_FOLDER}", *_rows()],
                environment={
                    "S3_ENDPOINT": storage.endpoint_url or "",
                    "AWS_REGION": storage.region,
                },
                limits=LIMITS,
                timeout_seconds=_TIMEOUT_SECONDS,
            )
        for model_type in ModelType:
            with step(f"Run the trainer and the plain script in turn: {model_type}"):
                cases = [case(model_type, size, storage=storage) for size in SIZES]
                figures += _measure(kube, image, cases, LIMITS)
        with step("Train XGBoost on a million rows in a pod of 1 GiB"):
            within = case(
                ModelType.XGBOOST, "1m", storage=storage, programs=["trainer"], repeats=1
            )
            small = _measure(kube, image, [within], SMALL_LIMITS)
    finally:
        _remove(kube)
    console.print(_table(figures))
    return summary(figures, small)


def _rows() -> list[str]:
    return [str(rows) for rows in SIZES.values()]


def _remove(kube: Kube) -> None:
    """Take the tables and the benchmark's model versions out of the object store."""
    with kube.s3() as client:
        pages = client.get_paginator("list_objects_v2")
        for prefix in (_FOLDER, "models/bench-trainer/", "plain/bench-trainer/"):
            for page in pages.paginate(Bucket=BUCKET, Prefix=prefix):
                for item in page.get("Contents", []):
                    client.delete_object(Bucket=BUCKET, Key=item["Key"])
