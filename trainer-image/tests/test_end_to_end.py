"""The trainer as the pod runs it: a process, a store, a termination message."""

import json
import subprocess
import sys
import urllib.request
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from trainyard_schema import Manifest
from trainyard_schema.artifacts import CurrentPointer
from trainyard_schema.run import RunProgress
from trainyard_trainer import scoring

MakeFrame = Callable[..., pd.DataFrame]
MODEL_TYPES = ["xgboost", "random-forest", "neural-net"]

_SCORE = """
import sys, numpy, pandas
from trainyard_trainer.scoring import load
numpy.save(sys.argv[3], load(sys.argv[1]).predict(pandas.read_csv(sys.argv[2])))
"""


@pytest.mark.parametrize("model_type", MODEL_TYPES)
@pytest.mark.parametrize("task", ["binary", "multiclass", "regression"])
def test_a_run_leaves_a_version_that_scores_again(
    trainer: Any, make_frame: MakeFrame, model_type: str, task: str, tmp_path: Path
) -> None:
    trainer.put(make_frame(task))
    outcome = trainer.run(model_type)
    assert outcome.code == 0, outcome.result
    result = outcome.result
    assert result.reason is None
    assert result.version.current
    assert all(metric.split == "holdout" for metric in result.metrics)

    folder = trainer.download(result)
    manifest = scoring.verify(folder)
    assert (manifest.task, manifest.version) == (task, result.version.version)
    assert manifest.rows == 400
    assert manifest.libraries["python"]
    assert {file.name for file in manifest.files} == {
        path.name for path in folder.iterdir() if path.name != "manifest.json"
    }
    assert manifest.files[0].sha256 == result.version.sha256

    # New rows, with an unseen category and a missing value in every column, in a process of their
    # own.
    rows = make_frame(task, rows=50, seed=9).drop(columns=["y", "id"])
    rows.loc[0, "city"] = "Atlantis"
    rows.loc[1] = None
    rows.to_csv(tmp_path / "rows.csv", index=False)
    subprocess.run(
        [
            sys.executable,
            "-W",
            "ignore",
            "-c",
            _SCORE,
            folder,
            tmp_path / "rows.csv",
            tmp_path / "scores.npy",
        ],
        check=True,
    )
    here = scoring.load(folder).predict(pd.read_csv(tmp_path / "rows.csv"))
    assert np.isfinite(here).all()
    np.testing.assert_array_equal(np.load(tmp_path / "scores.npy"), here)


@pytest.mark.parametrize("model_type", MODEL_TYPES)
def test_the_holdout_metric_is_that_of_the_saved_version(
    trainer: Any, make_frame: MakeFrame, model_type: str
) -> None:
    from trainyard_schema import DataSpec
    from trainyard_trainer import training
    from trainyard_trainer.metrics import evaluate

    frame = make_frame("binary")
    trainer.put(frame, "data/table.parquet")
    uri = "s3://trainyard/data/table.parquet"
    outcome = trainer.run(model_type, data={"uri": uri}, seed=5)
    spec = DataSpec(uri=uri, target="y", exclude=["id"])
    dataset = training.validate(pa.Table.from_pandas(frame, preserve_index=False), spec, 5)
    scorer = scoring.load(trainer.download(outcome.result))
    scores = scorer.predict(frame.iloc[dataset.holdout])
    values = dataset.target.values[dataset.holdout]
    metrics = evaluate(dataset.target.task, values, scores, threshold=scorer.schema.threshold)
    assert {m.name: m.value for m in outcome.result.metrics} == {
        name: f"{value:.6g}" for name, value in metrics.items()
    }


def test_calibration_and_threshold_come_with_the_version(trainer: Any) -> None:
    # Much noise beside one good column: the mean of many trees is too careful.
    random = np.random.default_rng(0)
    frame = pd.DataFrame(random.normal(size=(1200, 20)), columns=[f"x{n}" for n in range(20)])
    frame["y"] = np.where(frame[["x0", "x1", "x2"]].sum(axis=1) > 1.5, "rare", "often")
    trainer.put(frame)
    trees = {"n_estimators": 100}
    outcome = trainer.run("random-forest", data={"exclude": []}, hyperparameters=trees)
    scorer = scoring.load(trainer.download(outcome.result))
    assert scorer.schema.calibration is not None
    assert scorer.schema.calibration.slope > 1
    assert 0.3 < scorer.schema.threshold < 0.7
    careful = replace(scorer._model, calibration=None)
    rows = pa.Table.from_pandas(frame.drop(columns="y"))
    np.testing.assert_array_equal(
        scorer.predict(frame), scorer.schema.calibration.apply(careful.predict(rows))
    )


def test_csv_and_parquet_and_parts_give_the_same_model(trainer: Any, make_frame: MakeFrame) -> None:
    frame = make_frame("binary")
    trainer.put(frame)
    trainer.put(frame, "parquet/table.parquet")
    trainer.put(frame[:150], "parts/1.csv")
    trainer.put(frame[150:], "parts/2.csv")
    uris = ["data/table.csv", "parquet/table.parquet", "parts/"]
    results = [trainer.run("xgboost", data={"uri": f"s3://trainyard/{uri}"}).result for uri in uris]
    assert len({result.version.sha256 for result in results}) == 1
    manifest = scoring.verify(trainer.download(results[2]))
    assert [source.uri.rpartition("/")[2] for source in manifest.data] == ["1.csv", "2.csv"]
    assert [result.version.current for result in results] == [True, False, False]
    assert manifest.parent_version == results[0].version.version


def test_overwrite_moves_the_pointer(trainer: Any, s3: Any, make_frame: MakeFrame) -> None:
    trainer.put(make_frame("binary"))
    first, second = trainer.run("xgboost"), trainer.run("xgboost", overwrite=True)
    assert second.result.version.current
    body = s3.get_object(Bucket="trainyard", Key="models/made/xgboost/current.json")["Body"].read()
    pointer = CurrentPointer.model_validate_json(body)
    assert pointer.uri == second.result.version.uri != first.result.version.uri


def test_cross_validation_is_reported_beside_the_holdout(
    trainer: Any, make_frame: MakeFrame
) -> None:
    trainer.put(make_frame("binary"))
    result = trainer.run("random-forest", crossValidation={"folds": 3}).result
    assert len(result.metrics) == 9
    names = [m.name for m in result.metrics if m.split == "cross-validation"]
    assert names == ["roc_auc", "roc_auc_std"]
    folder = trainer.download(result)
    metrics = json.loads((folder / "metrics.json").read_text())
    assert len(metrics["crossValidation"]) == 14
    assert set(metrics["holdoutIntervals"]) == set(metrics["holdout"])
    assert set(metrics["holdoutPerClass"]) == {"No", "Yes"}
    low, high = scoring.verify(folder).metric_intervals["roc_auc"]
    assert low <= metrics["holdout"]["roc_auc"] <= high
    history = [json.loads(line) for line in (folder / "history.jsonl").read_text().splitlines()]
    assert [*dict.fromkeys(r["fit"] for r in history)] == ["fold 1", "fold 2", "fold 3", "final"]
    assert "0." in (folder / "model-card.md").read_text()
    assert "stage begins" in (folder / "log.txt").read_text()


def test_warnings_reach_the_manifest(trainer: Any, make_frame: MakeFrame) -> None:
    frame = make_frame("binary")
    frame["constant"] = 1
    frame.loc[:4, "y"] = None
    trainer.put(frame)
    manifest: Manifest = scoring.verify(
        trainer.download(trainer.run("xgboost", data={"exclude": []}).result)
    )
    assert manifest.rows == 395
    assert [warning.split("'")[1] for warning in manifest.warnings] == ["y", "id", "constant"]


def test_progress_and_metrics_are_served(
    trainer: Any,
    make_frame: MakeFrame,
    wait_for_line: Callable[..., str],
    stop: Callable[..., float],
) -> None:
    trainer.put(make_frame("binary"))
    slow = {"max_epochs": 10000, "patience": 1000, "learning_rate": 1e-6}
    process = trainer.start("neural-net", port=18097, hyperparameters=slow)
    wait_for_line(process, '"stage": "Training"')
    with urllib.request.urlopen("http://127.0.0.1:18097/progress", timeout=2) as answer:
        document = RunProgress.model_validate_json(answer.read())
    assert document.stage == "Training"
    assert list(document.stage_seconds) == ["Downloading", "Validating", "Training"]
    assert document.total == 10000
    assert document.stops_early
    with urllib.request.urlopen("http://127.0.0.1:18097/metrics", timeout=2) as answer:
        text = answer.read().decode()
    assert 'trainyard_trainer_stage{stage="Training"} 1.0' in text
    assert "process_resident_memory_bytes" in text
    stop(process)


def test_an_xgboost_run_imports_no_other_library(trainer: Any, make_frame: MakeFrame) -> None:
    trainer.put(make_frame("binary"))
    trainer.environment["PYTHONPROFILEIMPORTTIME"] = "1"
    process = trainer.start("xgboost", gate={})  # its process neither
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 0, output
    lines = [line for line in output.splitlines() if line.startswith("import time:")]
    imported = [line.rpartition("|")[2].strip() for line in lines]
    assert "xgboost" in imported
    assert not [name for name in imported if name.startswith(("torch.", "sklearn."))]


def test_a_changed_file_is_found_when_loading(trainer: Any, make_frame: MakeFrame) -> None:
    trainer.put(make_frame("binary"))
    folder = trainer.download(trainer.run("xgboost").result)
    text = (folder / "preprocessing.json").read_text()
    (folder / "preprocessing.json").write_text(text.replace("Rome", "Roma"))
    with pytest.raises(scoring.CorruptedVersionError, match=r"preprocessing.json is not the file"):
        scoring.load(folder)
    (folder / "preprocessing.json").unlink()
    with pytest.raises(scoring.CorruptedVersionError, match="missing"):
        scoring.load(folder)


def test_scoring_names_a_missing_column(trainer: Any, make_frame: MakeFrame) -> None:
    from trainyard_trainer.errors import TrainerError

    trainer.put(make_frame("binary"))
    scorer = scoring.load(trainer.download(trainer.run("xgboost").result))
    with pytest.raises(TrainerError, match="rows lack column 'city'"):
        scorer.predict(make_frame("binary").drop(columns=["city"]))
