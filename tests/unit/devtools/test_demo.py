from datetime import UTC, datetime
from pathlib import Path

import pandas as pd
import pytest
from rich.console import Console
from trainyard_devtools import demo
from trainyard_devtools.demo import Dataset
from trainyard_devtools.steps import StepError
from trainyard_schema import ModelType, TrainingJobSpec, TrainingJobStatus
from trainyard_schema.status import Metric, ModelVersion

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


@pytest.fixture
def table(tmp_path: Path) -> Path:
    path = tmp_path / "My Table.csv"
    pd.DataFrame({"a": [1, 2], "won": [0, 1]}).to_csv(path, index=False)
    return path


def test_without_data_the_generated_table_is_used() -> None:
    job = Dataset(None, None).training_job(NOW)
    assert job["metadata"]["name"] == "churn-20260102-030405"
    spec = TrainingJobSpec.model_validate(job["spec"])
    assert spec.data.target == "churned"
    assert spec.model_type == "all"


def test_a_file_of_ones_own(table: Path) -> None:
    dataset = Dataset(table, "won")
    assert dataset.key == "datasets/my-table.csv"
    assert dataset.read() == table.read_bytes()
    TrainingJobSpec.model_validate(dataset.training_job(NOW)["spec"])


def test_parquet_is_taken_as_well(tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    pd.DataFrame({"a": [1, 2], "won": [0, 1]}).to_parquet(path)
    assert Dataset(path, "won").key == "datasets/t.parquet"


@pytest.mark.parametrize("target", ["lost", "", None])
def test_a_wrong_target_is_answered_with_the_columns(table: Path, target: str | None) -> None:
    with pytest.raises(StepError, match=r"no such column; it has a, won"):
        Dataset(table, target)


def test_a_wrong_path_is_said(tmp_path: Path) -> None:
    with pytest.raises(StepError, match="no such file"):
        Dataset(tmp_path / "x.csv", "y")
    other = tmp_path / "x.xlsx"
    other.touch()
    with pytest.raises(StepError, match=r"give a \.csv or a \.parquet file"):
        Dataset(other, "y")


def test_a_target_without_data_is_refused() -> None:
    with pytest.raises(StepError, match="goes with DATA="):
        Dataset(None, "y")


@pytest.mark.parametrize("names", [("roc_auc", "log_loss"), ("accuracy", "balanced_accuracy")])
def test_the_table_fits_a_terminal_of_80_columns(
    names: tuple[str, ...], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(demo, "console", Console(width=80, soft_wrap=True))
    version = "20260102T030405Z-0123abcd"
    status = TrainingJobStatus(
        metrics=[
            Metric(model_type=model_type, name=name, value="0.87654321", split="holdout")
            for model_type in ModelType
            for name in names
        ],
        models=[
            ModelVersion(
                model_type=model_type,
                version=version,
                uri=f"s3://trainyard/models/churn/{model_type}/{version}/",
                sha256="0" * 64,
                size_bytes=123_450_000,
                current=True,
                duration_seconds=1234.56,
            )
            for model_type in ModelType
        ],
    )
    demo.report(status)
    printed = capsys.readouterr().out
    assert max(len(line) for line in printed.splitlines() if "s3://" not in line) <= 80, printed
    assert "…" not in printed
    assert printed.count(version) == len(ModelType)
    for expected in (*names, "0.8765", "123.45 MB", "1234.6 s"):
        assert expected in printed, printed
