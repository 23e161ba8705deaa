"""The file that keeps a version's holdout, along a chain of versions in a real store."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet
import pytest
from trainyard_schema import Manifest, Reason
from trainyard_schema.artifacts import HOLDOUT
from trainyard_trainer import scoring

MakeFrame = Callable[..., pd.DataFrame]


def _filed(trainer: Any, outcome: Any) -> tuple[Path, Manifest]:
    assert outcome.code == 0, outcome.result
    folder = trainer.download(outcome.result)
    return folder, scoring.verify(folder)


def _sha256(manifest: Manifest) -> str:
    return next(file.sha256 for file in manifest.files if file.name == HOLDOUT)


def test_a_version_keeps_the_rows_that_it_was_measured_on(
    trainer: Any, make_frame: MakeFrame
) -> None:
    trainer.put(make_frame("binary"))
    folder, manifest = _filed(trainer, trainer.run("xgboost"))
    rows = pyarrow.parquet.read_table(folder / HOLDOUT).to_pandas()
    assert list(rows.columns) == ["a", "b", "city", "flag", "amount", "y"]
    assert len(rows) == manifest.holdout_rows == 80
    assert manifest.holdout is None
    scorer = scoring.load(folder)
    accuracy = np.mean(np.array(scorer.decide(scorer.predict(rows))) == rows["y"])
    metrics = {metric.name: metric.value for metric in manifest.metrics}
    assert metrics["accuracy"] == f"{accuracy:.6g}"


def test_the_holdout_is_frozen_along_a_chain_of_champions(
    trainer: Any, make_frame: MakeFrame
) -> None:
    frame = make_frame("binary")
    trainer.put(frame)
    first = trainer.run("xgboost")
    folder, manifest = _filed(trainer, first)
    champion = first.result.version.uri
    # The next table has the rows of the first one in another order, and new ones.
    frame = pd.concat([make_frame("binary", rows=100, seed=9), frame[::-1]])
    trainer.put(frame, "data/table.parquet")
    data = {"uri": "s3://trainyard/data/table.parquet"}
    second = trainer.run("random-forest", data=data, seed=7, champion=champion)
    _, other = _filed(trainer, second)
    third = trainer.run("xgboost", data=data, champion=second.result.version.uri)
    _, last = _filed(trainer, third)
    assert _sha256(manifest) == _sha256(other) == _sha256(last)
    assert other.holdout is not None
    assert other.holdout.uri == f"{champion}{HOLDOUT}"
    assert other.holdout.sha256 == _sha256(manifest)
    assert (other.training_rows, other.holdout_rows) == (420, 80)
    name = "the holdout of the champion"
    assert f"80 of 500 rows are in {name} too and were not learned from" in other.warnings
    assert (
        f"read from {champion}{HOLDOUT}"
        in (folder.parent / other.version / "model-card.md").read_text()
    )


@pytest.mark.parametrize("harm", ["gone", "manifest", "changed", "lost", "older"])
def test_a_champion_without_a_sound_holdout_is_told(
    trainer: Any, s3: Any, make_frame: MakeFrame, harm: str
) -> None:
    trainer.put(make_frame("binary"))
    champion = trainer.run("xgboost").result.version.uri
    prefix = champion.removeprefix("s3://trainyard/")
    manifest = s3.get_object(Bucket="trainyard", Key=f"{prefix}manifest.json")["Body"].read()
    if harm == "gone":
        s3.delete_object(Bucket="trainyard", Key=f"{prefix}manifest.json")
        expected = f"{champion} is not there"
    elif harm == "manifest":
        s3.put_object(Bucket="trainyard", Key=f"{prefix}manifest.json", Body=b"{}")
        expected = f"{champion}manifest.json is no manifest of a version"
    elif harm == "lost":
        s3.delete_object(Bucket="trainyard", Key=f"{prefix}{HOLDOUT}")
        expected = f"{champion}{HOLDOUT} is missing"
    elif harm == "changed":
        s3.put_object(Bucket="trainyard", Key=f"{prefix}{HOLDOUT}", Body=b"other")
        expected = f"{champion}{HOLDOUT} is not the file that manifest.json names"
    else:
        body = manifest.replace(HOLDOUT.encode(), b"other.parquet")
        s3.put_object(Bucket="trainyard", Key=f"{prefix}manifest.json", Body=body)
        expected = f"{champion} has no {HOLDOUT}"
    _, found = _filed(trainer, trainer.run("xgboost", champion=champion))
    assert found.warnings[0].startswith(f"the champion cannot tell its holdout: {expected}")
    assert found.warnings[0].endswith(", so a new one was drawn")
    assert found.holdout is None
    assert HOLDOUT in {file.name for file in found.files}


def test_a_person_s_holdout_goes_before_the_champion_s(trainer: Any, make_frame: MakeFrame) -> None:
    frame = make_frame("binary")
    trainer.put(frame)
    champion = trainer.run("xgboost").result.version.uri
    trainer.put(frame[:50], "data/mine.csv")
    mine = {"holdout": "s3://trainyard/data/mine.csv"}
    folder, manifest = _filed(trainer, trainer.run("xgboost", data=mine, champion=champion))
    assert manifest.holdout is not None
    assert manifest.holdout.uri == "s3://trainyard/data/mine.csv"
    assert (manifest.training_rows, manifest.holdout_rows) == (350, 50)
    assert len(pyarrow.parquet.read_table(folder / HOLDOUT)) == 50


@pytest.mark.parametrize(
    ("body", "reason", "text"),
    [
        (None, Reason.DATA_NOT_FOUND, "spec.data.holdout: there is no object s3://trainyard/da"),
        (b"", Reason.INVALID_DATA, "can be read neither as CSV nor as Parquet"),
        (b"a,y\n1,Yes\n", Reason.SCHEMA_MISMATCH, "spec.data.holdout lacks column 'b' and 3 more"),
    ],
)
def test_a_person_s_holdout_must_serve(
    *, trainer: Any, s3: Any, make_frame: MakeFrame, body: bytes | None, reason: Reason, text: str
) -> None:
    trainer.put(make_frame("binary"))
    if body is not None:
        s3.put_object(Bucket="trainyard", Key="data/mine.csv", Body=body)
    outcome = trainer.run("xgboost", data={"holdout": "s3://trainyard/data/mine.csv"})
    assert outcome.result.reason == reason
    assert text in outcome.result.message
