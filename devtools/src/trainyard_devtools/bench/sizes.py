"""`make bench-trainer`: time and memory of the trainer beside a plain script, by rows and type.

Both run in the stage `bench` of the trainer's image, in a pod of one core, in turn, on the same CSV
in the bundled object store, with the same hyperparameters. CSV, since it is what most tables come
as, and the harder of the two formats: its types must be found. A pod makes the tables and uploads
them (`trainer-image/bench/table.py` tells how they are drawn); they are removed at the end.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from rich.table import Table
from trainyard_schema import DataSpec, ModelType, StorageConfig, TrainingJobSpec, run_config

from trainyard_devtools.bench.programs import Case, Figure, Figures, Program, measure
from trainyard_devtools.kube import S3_PORT, S3_SERVICE, Kube
from trainyard_devtools.pods import run_in_pod
from trainyard_devtools.repo import BUCKET
from trainyard_devtools.steps import StepError, console, step

SIZES = {"10k": 10_000, "100k": 100_000, "1m": 1_000_000}
REPEATS = {"10k": 5, "100k": 3, "1m": 1}
UNITS: Mapping[ModelType, tuple[str, Mapping[str, int]]] = {
    ModelType.XGBOOST: ("n_estimators", {"10k": 300, "100k": 300, "1m": 150}),
    ModelType.RANDOM_FOREST: ("n_estimators", {"10k": 100, "100k": 30, "1m": 6}),
    ModelType.NEURAL_NET: ("max_epochs", {"10k": 10, "100k": 4, "1m": 2}),
}
"""Rounds, trees and epochs: few, so that everything ends within half an hour."""
_BATCH_SIZES = {"10k": 128, "100k": 512, "1m": 2048}
_LIMITS = {"cpu": "1", "memory": "6Gi"}
_SMALL_LIMITS = {"cpu": "1", "memory": "1Gi"}
_FOLDER = "bench/trainer/"
_MODEL = "bench-trainer"
_UPLOAD_TIMEOUT_SECONDS = 300


def name_of(model_type: ModelType, size: str) -> str:
    """The name of a case."""
    return f"{model_type}/{size}"


def _hyperparameters(model_type: ModelType, size: str) -> dict[str, Any]:
    """Nothing is left to either program to choose. Early stopping watches but never stops, so that
    both do the same number of rounds or epochs.
    """
    name, units = UNITS[model_type]
    rest: Mapping[ModelType, dict[str, Any]] = {
        ModelType.XGBOOST: {"early_stopping_rounds": units[size], "min_child_weight": 5.0},
        ModelType.RANDOM_FOREST: {"min_samples_leaf": 20, "max_features": "sqrt"},
        ModelType.NEURAL_NET: {"patience": units[size], "batch_size": _BATCH_SIZES[size]},
    }
    return {name: units[size], **rest[model_type]}


def case(
    model_type: ModelType,
    size: str,
    storage: StorageConfig,
    programs: Sequence[Program] = ("trainer", "plain"),
) -> Case:
    """One model type on the table of one size."""
    spec = TrainingJobSpec(
        model_type=model_type.value,
        data=DataSpec(uri=f"s3://{BUCKET}/{_FOLDER}rows-{SIZES[size]}.csv", target="y"),
        hyperparameters=_hyperparameters(model_type, size),
    )
    run = run_config(
        spec, namespace="bench", name=_MODEL, uid="bench", storage=storage, image="bench"
    )
    repeats = REPEATS[size] if "plain" in programs else 1
    return Case(name_of(model_type, size), run, repeats, programs)


def summary(figures: Figures, within_1_gib: Figures) -> dict[str, Any]:
    """The JSON object on the last line."""

    def ratios(figure: Figure, size: str) -> dict[str, float]:
        return {
            str(model_type): round(figures.ratio(name_of(model_type, size), figure), 2)
            for model_type in ModelType
        }

    first_progress = max(
        figures.median(name_of(model_type, size), "trainer", "firstProgressSeconds")
        for model_type in ModelType
        for size in SIZES
    )
    large = name_of(ModelType.XGBOOST, "1m")
    return {
        **{f"overhead_ratio_{size}": ratios("seconds", size) for size in SIZES},
        "peak_memory_ratio": ratios("peakMb", "1m"),
        "first_progress_seconds": round(first_progress, 2),
        "xgboost_1m_peak_mb": round(within_1_gib.median(large, "trainer", "peakMb")),
    }


def as_table(figures: Figures) -> Table:
    """What a person reads: medians of every program in every case."""
    table = Table(title="Medians of whole processes on one core")
    for heading in ("model type", "rows", "rounds, trees, epochs", "program"):
        table.add_column(heading)
    for heading in ("runs", "wall s", "CPU s", "peak MB"):
        table.add_column(heading, justify="right")
    programs: Sequence[Program] = ("trainer", "plain")
    for model_type, (unit, units) in UNITS.items():
        for size, number in units.items():
            name = name_of(model_type, size)
            for program in programs:
                table.add_row(
                    *(str(model_type), size, f"{unit} {number}", program),
                    str(len(figures.values(name, program, "seconds"))),
                    f"{figures.median(name, program, 'seconds'):.1f}",
                    f"{figures.median(name, program, 'cpuSeconds'):.1f}",
                    f"{figures.median(name, program, 'peakMb'):.0f}",
                )
    return table


def bench_trainer(kube: Kube, image: str) -> dict[str, Any]:
    """Measure, print the table, and return the figures. `image` is the stage `bench`."""
    endpoint = f"http://{S3_SERVICE}:{S3_PORT}"
    storage = StorageConfig(bucket=BUCKET, endpoint_url=endpoint)
    entries: list[Mapping[str, Any]] = []
    try:
        with step("Make the tables and upload them"):
            rows = [str(number) for number in SIZES.values()]
            log = run_in_pod(
                kube,
                image,
                ["python", "/opt/bench/table.py", f"s3://{BUCKET}/{_FOLDER}", *rows],
                environment={"S3_ENDPOINT": endpoint, "AWS_REGION": storage.region},
                limits=_LIMITS,
                timeout_seconds=_UPLOAD_TIMEOUT_SECONDS,
            )
            if log.count(" bytes\n") != len(SIZES):
                raise StepError(f"the tables could not be made and uploaded:\n{log[-4000:]}")
        for model_type in ModelType:
            with step(f"Run the trainer and the plain script in turn: {model_type}"):
                cases = [case(model_type, size, storage) for size in SIZES]
                entries += measure(kube, image, cases, _LIMITS).entries
        with step("Train XGBoost on a million rows in a pod of 1 GiB"):
            alone = case(ModelType.XGBOOST, "1m", storage, ["trainer"])
            within_1_gib = measure(kube, image, [alone], _SMALL_LIMITS)
    finally:
        _remove(kube)
    figures = Figures(entries)
    console.print(as_table(figures))
    return summary(figures, within_1_gib)


def _remove(kube: Kube) -> None:
    """Take the tables and the benchmark's model versions out of the object store."""
    with kube.s3() as client:
        pages = client.get_paginator("list_objects_v2")
        for prefix in (_FOLDER, f"models/{_MODEL}/", f"plain/{_MODEL}/"):
            for page in pages.paginate(Bucket=BUCKET, Prefix=prefix):
                for item in page.get("Contents", []):
                    client.delete_object(Bucket=BUCKET, Key=item["Key"])
