"""`skipIfUnchanged`: nothing is trained that is there already."""

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from trainyard_schema import (
    Manifest,
    ModelType,
    Reason,
    RunConfig,
    StorageConfig,
    TrainingJobSpec,
    VersionKey,
    run_config,
)
from trainyard_schema.artifacts import CurrentPointer
from trainyard_trainer.fingerprint import Part, fingerprint

MakeFrame = Callable[..., pd.DataFrame]
BUCKET = "trainyard"
PARTS = [Part("s3://trainyard/data/1.csv", "etag-1", 10), Part("s3://trainyard/data/2.csv", "e", 9)]


def _config(**fields: Any) -> RunConfig:
    data = {"uri": "s3://trainyard/data/", "target": "y"} | fields.pop("data", {})
    image = fields.pop("image", "image@sha256:1")
    return run_config(
        TrainingJobSpec.model_validate({"modelType": "xgboost", "data": data, **fields}),
        namespace="lab", name="churn", uid=fields.get("uid", "1"), image=image,
        storage=StorageConfig(bucket=BUCKET),
    )  # fmt: skip


def _fingerprint(parts: list[Part] | None = None, **fields: Any) -> str:
    given = PARTS if parts is None else parts
    return fingerprint(_config(**fields), ModelType.XGBOOST, given, None)


@pytest.mark.parametrize(
    "other",
    [
        {"parts": [PARTS[0]]},
        {"parts": [PARTS[0], PARTS[1]._replace(etag="other")]},
        {"parts": [PARTS[0], PARTS[1]._replace(size_bytes=8)]},
        {"parts": [PARTS[0], PARTS[1]._replace(uri="s3://trainyard/data/3.csv")]},
        {"data": {"exclude": ["id"]}},
        {"data": {"holdoutFraction": 0.3}},
        {"hyperparameters": {"max_depth": 3}},
        {"mode": "incremental"},
        {"crossValidation": {"folds": 3}},
        {"seed": 7},
        {"image": "image@sha256:2"},
        {
            "data": {"exclude": ["region"]},
            "gate": {"slices": [{"column": "region", "floor": 0.5}]},
        },
    ],
)
def test_what_a_version_is_trained_from_is_in_its_fingerprint(other: dict[str, Any]) -> None:
    assert _fingerprint(**other) != _fingerprint()
    if "gate" in other:
        assert _fingerprint(**other) != _fingerprint(data=other["data"])


@pytest.mark.parametrize(
    "other",
    [
        {"parts": PARTS[::-1]},
        {"hyperparameters": {"max_depth": 4}},  # which is the default
        {"overwrite": True},
        {"skipIfUnchanged": True},
        {"gate": {"floor": 0.5, "slices": [{"column": "city", "floor": 0.5}]}},
        {"resources": {"limits": {"memory": "4Gi"}}},
        {"backoffLimit": 0},
    ],
)
def test_what_makes_no_other_version_is_not(other: dict[str, Any]) -> None:
    assert _fingerprint(**other) == _fingerprint()


def _skip(trainer: Any, model_type: str = "xgboost", **fields: Any) -> Any:
    outcome = trainer.run(model_type, skipIfUnchanged=True, **fields)
    assert outcome.code == 0, outcome.result
    return outcome


def _manifest(s3: Any, version: Any) -> Manifest:
    key = f"models/made/{version.model_type}/{version.version}/manifest.json"
    return Manifest.model_validate_json(s3.get_object(Bucket=BUCKET, Key=key)["Body"].read())


def _record(s3: Any, version: Any) -> str:
    """The key of the object that leads to a version."""
    key = VersionKey("made", version.model_type, version.version)
    sha256 = _manifest(s3, version).fingerprint
    assert sha256 is not None
    return key.fingerprint(sha256)


@pytest.mark.parametrize("model_type", list(ModelType))
def test_the_same_run_again_is_the_version_that_is_there(
    trainer: Any, make_frame: MakeFrame, keys: Callable[..., list[str]], model_type: str
) -> None:
    trainer.put(make_frame("binary"))
    first = trainer.run(model_type, crossValidation={"folds": 2})
    before = keys("models/")
    again = _skip(trainer, model_type, crossValidation={"folds": 2})
    version = again.result.version
    assert version.unchanged
    assert not version.current
    # What it took to train says nothing about a run that did not.
    trained = first.result.version.model_copy(update={"stage_seconds": None, "units": None})
    expected = trained.to_dict() | {"unchanged": True, "current": False}
    assert version.to_dict() | {"durationSeconds": expected["durationSeconds"]} == expected
    assert again.result.metrics == first.result.metrics
    assert keys("models/") == before
    messages = [line["message"] for line in again.log]
    assert "nothing has changed, so nothing is trained" in messages
    assert "data is here" not in messages


def test_the_pointer_is_moved_if_that_is_asked_for(
    trainer: Any, s3: Any, make_frame: MakeFrame
) -> None:
    trainer.put(make_frame("binary"))
    first = trainer.run("xgboost").result.version
    trainer.run("xgboost", seed=7, overwrite=True)
    assert not _skip(trainer).result.version.current
    assert _skip(trainer, overwrite=True).result.version.current
    body = s3.get_object(Bucket=BUCKET, Key="models/made/xgboost/current.json")["Body"].read()
    assert CurrentPointer.model_validate_json(body).uri == first.uri
    s3.delete_object(Bucket=BUCKET, Key="models/made/xgboost/current.json")
    assert _skip(trainer).result.version.current


def test_a_version_is_judged_anew_and_not_made_current(
    trainer: Any, keys: Callable[..., list[str]], s3: Any, make_frame: MakeFrame
) -> None:
    trainer.put(make_frame("binary"))
    trainer.run("xgboost")
    s3.delete_object(Bucket=BUCKET, Key="models/made/xgboost/current.json")
    result = _skip(trainer, gate={"floor": 0.999}, overwrite=True).result
    assert result.version.unchanged
    assert not result.version.current
    assert not result.verdict.passed
    assert result.verdict.version == result.version.version
    assert "models/made/xgboost/current.json" not in keys()
    assert _skip(trainer, gate={"floor": 0.1}).result.verdict.passed


def test_other_data_or_another_spec_is_trained(trainer: Any, make_frame: MakeFrame) -> None:
    trainer.put(make_frame("binary"))
    trainer.put(make_frame("binary", rows=60, seed=3), "data/mine.csv")
    mine = {"holdout": "s3://trainyard/data/mine.csv"}
    trainer.run("xgboost", data=mine)
    assert _skip(trainer, data=mine).result.version.unchanged
    assert not _skip(trainer, seed=7, data=mine).result.version.unchanged
    trainer.put(make_frame("binary", rows=60, seed=4), "data/mine.csv")
    assert not _skip(trainer, data=mine).result.version.unchanged
    trainer.put(make_frame("binary", seed=5))
    assert not _skip(trainer, data=mine).result.version.unchanged
    assert _skip(trainer, data=mine).result.version.unchanged


def test_files_under_a_prefix_are_looked_at_one_by_one(
    trainer: Any, s3: Any, make_frame: MakeFrame
) -> None:
    frame = make_frame("binary")
    trainer.put(frame[:200], "parts/1.csv")
    trainer.put(frame[200:], "parts/2.csv")
    data = {"uri": "s3://trainyard/parts/"}
    trainer.run("xgboost", data=data)
    s3.put_object(Bucket=BUCKET, Key="parts/_SUCCESS", Body=b"done")
    assert _skip(trainer, data=data).result.version.unchanged
    trainer.put(make_frame("binary", rows=50, seed=2), "parts/3.csv")
    assert not _skip(trainer, data=data).result.version.unchanged


@pytest.mark.parametrize("harm", ["manifest", "record", "partial", "nonsense", "elsewhere"])
def test_only_a_whole_version_is_an_answer(
    trainer: Any, s3: Any, make_frame: MakeFrame, harm: str
) -> None:
    trainer.put(make_frame("binary"))
    first = trainer.run("xgboost").result.version
    manifest_key = f"models/made/xgboost/{first.version}/manifest.json"
    record = _record(s3, first)
    if harm == "manifest":
        s3.delete_object(Bucket=BUCKET, Key=manifest_key)
    elif harm == "record":
        s3.delete_object(Bucket=BUCKET, Key=record)
    elif harm == "partial":
        document = json.loads(_manifest(s3, first).to_json()) | {"partial": True}
        s3.put_object(Bucket=BUCKET, Key=manifest_key, Body=json.dumps(document).encode())
    elif harm == "nonsense":
        s3.put_object(Bucket=BUCKET, Key=record, Body=b"{")
    else:
        s3.put_object(Bucket=BUCKET, Key=record, Body=b'{"version": "../../other"}')
    second = _skip(trainer).result.version
    assert not second.unchanged
    assert second.version != first.version
    # And that one is found from now on.
    assert _skip(trainer).result.version.version == second.version


def test_missing_data_are_told_as_ever(trainer: Any) -> None:
    outcome = trainer.run("xgboost", skipIfUnchanged=True)
    assert outcome.result.reason == Reason.DATA_NOT_FOUND
    assert "s3://trainyard/data/table.csv: no such object" in outcome.result.message


def test_retraining_against_a_champion_ends_when_nothing_changes(
    trainer: Any, make_frame: MakeFrame
) -> None:
    trainer.put(make_frame("binary"))
    first = trainer.run("xgboost").result.version
    # The champion itself is the answer.
    assert _skip(trainer, champion=first.uri).result.version.version == first.version
    trainer.put(make_frame("binary", rows=450))
    second = _skip(trainer, champion=first.uri).result.version
    assert not second.unchanged
    # Rejected or promoted: it is the answer while the champion has these rows to be measured on.
    assert _skip(trainer, champion=first.uri).result.version.version == second.version
    assert _skip(trainer, champion=second.uri).result.version.version == second.version
    # Another holdout is another comparison.
    trainer.put(make_frame("binary", rows=500))
    other = trainer.run("xgboost", seed=9).result.version
    trainer.put(make_frame("binary", rows=450))
    third = _skip(trainer, champion=other.uri).result.version
    assert not third.unchanged
    assert not _skip(trainer).result.version.unchanged


def test_rows_are_learned_from_once_by_a_chain_of_incremental_runs(
    trainer: Any, make_frame: MakeFrame
) -> None:
    trainer.put(make_frame("binary"))
    trainer.run("xgboost")
    frame = make_frame("binary", rows=300, seed=4)
    frame["a"] = np.nan_to_num(-frame["a"])
    trainer.put(frame)
    given: dict[str, Any] = {"mode": "incremental", "overwrite": True}
    second = _skip(trainer, **given).result.version
    assert not second.unchanged
    # It is current now, and has learned from these rows.
    again = _skip(trainer, **given).result.version
    assert (again.version, again.unchanged) == (second.version, True)
    # A version that has not is current.
    trainer.put(make_frame("binary", rows=350, seed=6))
    trainer.run("xgboost", overwrite=True)
    trainer.put(frame)
    assert not _skip(trainer, **given).result.version.unchanged
