"""`mode: incremental` from end to end."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from trainyard_schema import Manifest, Reason
from trainyard_schema.artifacts import HOLDOUT
from trainyard_trainer import scoring

MakeFrame = Callable[..., pd.DataFrame]
MODEL_TYPES = ["xgboost", "random-forest", "neural-net"]


def _filed(trainer: Any, outcome: Any) -> tuple[Path, Manifest]:
    assert outcome.code == 0, outcome.result
    folder = trainer.download(outcome.result)
    return folder, scoring.verify(folder)


def _holdout(manifest: Manifest) -> str:
    return next(file.sha256 for file in manifest.files if file.name == HOLDOUT)


def _coded(frame: pd.DataFrame) -> pd.DataFrame:
    """With a column of codes that are text, which the last row gives away."""
    codes = np.where(frame["flag"] == "Yes", "007", "08")
    return frame.assign(code=[*codes[:-1], "X"])


@pytest.mark.parametrize("model_type", MODEL_TYPES)
def test_new_rows_are_learned_from_in_addition(
    trainer: Any, make_frame: MakeFrame, model_type: str
) -> None:
    trainer.put(_coded(make_frame("binary")))
    folder, first = _filed(trainer, trainer.run(model_type))
    # All of the new codes look like numbers.
    trainer.put(_coded(make_frame("binary", rows=301, seed=4))[:300])
    outcome = trainer.run(model_type, mode="incremental", overwrite=True)
    newer, manifest = _filed(trainer, outcome)
    assert (first.mode, manifest.mode) == ("full", "incremental")
    assert manifest.parent_version == first.version
    assert (manifest.training_rows, manifest.holdout_rows) == (300, 80)
    assert _holdout(manifest) == _holdout(first)
    for name in ("preprocessing.json", "schema.json"):
        texts = [json.loads((where / name).read_text()) for where in (folder, newer)]
        for text in texts:
            text.pop("threshold", None)
            text.pop("calibration", None)
        assert texts[0] == texts[1]
    card = (newer / "model-card.md").read_text()
    assert f"It continues {first.version}." in card
    assert f"of s3://trainyard/models/made/{model_type}/{first.version}/. Trained with" in card
    # And once more, from the version that is current now.
    _, third = _filed(trainer, trainer.run(model_type, mode="incremental"))
    assert third.parent_version == manifest.version


def test_the_same_run_continues_to_the_same_bytes(trainer: Any, make_frame: MakeFrame) -> None:
    for model_type in MODEL_TYPES:
        trainer.put(make_frame("binary"))
        trainer.run(model_type)
        trainer.put(make_frame("binary", rows=300, seed=4))
        hashes = [trainer.run(model_type, mode="incremental").result.version.sha256 for _ in "12"]
        assert hashes[0] == hashes[1], model_type


def test_without_a_version_it_is_a_full_run(trainer: Any, make_frame: MakeFrame) -> None:
    trainer.put(make_frame("binary"))
    _, manifest = _filed(trainer, trainer.run("xgboost", mode="incremental"))
    assert (manifest.mode, manifest.parent_version) == ("full", None)
    assert manifest.warnings == [
        "there is no xgboost version of 'made' to continue from, so it was trained in full"
    ]


def test_the_champion_goes_before_the_current_version(trainer: Any, make_frame: MakeFrame) -> None:
    trainer.put(make_frame("binary"))
    _, current = _filed(trainer, trainer.run("xgboost"))
    _, champion = _filed(trainer, trainer.run("xgboost", seed=7))
    uri = f"s3://trainyard/models/made/xgboost/{champion.version}/"
    trainer.put(make_frame("binary", rows=300, seed=4))
    _, manifest = _filed(trainer, trainer.run("xgboost", mode="incremental", champion=uri))
    assert manifest.parent_version == champion.version != current.version
    assert _holdout(manifest) == _holdout(champion) != _holdout(current)


def test_a_champion_of_another_type_is_measured_against_and_not_continued(
    trainer: Any, make_frame: MakeFrame
) -> None:
    trainer.put(make_frame("binary"))
    champion = trainer.run("random-forest", seed=7).result.version.uri
    _, strange = _filed(trainer, trainer.run("xgboost", seed=8))
    # What is current may have learned from the champion's holdout.
    trainer.put(make_frame("binary", rows=300, seed=4))
    given = {"mode": "incremental", "champion": champion}
    _, manifest = _filed(trainer, trainer.run("xgboost", overwrite=True, **given))
    assert manifest.mode == "full"
    assert (
        "may have learned from this holdout, so the model was trained in full"
        in (manifest.warnings[0])
    )
    assert strange.version in manifest.warnings[0]
    # The one that was measured on it has not.
    _, next_one = _filed(trainer, trainer.run("xgboost", **given))
    assert (next_one.mode, next_one.parent_version) == ("incremental", manifest.version)
    assert _holdout(next_one) == _holdout(manifest)


def test_a_person_s_holdout_that_may_have_been_learned_from_is_told(
    trainer: Any, make_frame: MakeFrame
) -> None:
    trainer.put(make_frame("binary"))
    trainer.put(make_frame("binary", rows=60, seed=9), "data/mine.csv")
    data = {"holdout": "s3://trainyard/data/mine.csv"}
    trainer.run("xgboost")
    _, manifest = _filed(trainer, trainer.run("xgboost", mode="incremental", data=data))
    assert manifest.mode == "incremental"
    assert "measured on other rows and may have learned" in manifest.warnings[0]
    trainer.run("xgboost", data=data, overwrite=True)
    _, manifest = _filed(trainer, trainer.run("xgboost", mode="incremental", data=data))
    assert not [text for text in manifest.warnings if "may have learned" in text]


def test_a_difference_is_a_schema_mismatch(trainer: Any, make_frame: MakeFrame) -> None:
    trainer.put(make_frame("binary"))
    trainer.run("neural-net")
    trainer.put(make_frame("binary").drop(columns="city"))
    outcome = trainer.run(
        "neural-net", mode="incremental", hyperparameters={"hidden_layer_sizes": [32]}
    )
    assert (outcome.code, outcome.result.reason) == (71, Reason.SCHEMA_MISMATCH)
    assert (
        "hyperparameter hidden_layer_sizes is [16] there and [32] here; column 'city' is missing"
        in outcome.result.message
    )


@pytest.mark.parametrize("name", ["model.ubj", "manifest.json"])
def test_a_version_that_is_not_sound_is_not_continued(
    trainer: Any, s3: Any, make_frame: MakeFrame, name: str
) -> None:
    trainer.put(make_frame("binary"))
    uri = trainer.run("xgboost").result.version.uri
    key = uri.removeprefix("s3://trainyard/") + name
    s3.put_object(Bucket="trainyard", Key=key, Body=b"{}")
    outcome = trainer.run("xgboost", mode="incremental")
    assert outcome.result.reason == Reason.INVALID_DATA
    assert "the version to continue from is not sound" in outcome.result.message
    assert name in outcome.result.message


def test_the_holdout_is_that_of_the_parent_where_the_champion_is_gone(
    trainer: Any, make_frame: MakeFrame
) -> None:
    trainer.put(make_frame("binary"))
    _, first = _filed(trainer, trainer.run("xgboost"))
    trainer.put(make_frame("binary", rows=300, seed=4))
    gone = "s3://trainyard/models/made/random-forest/v0/"
    _, manifest = _filed(trainer, trainer.run("xgboost", mode="incremental", champion=gone))
    assert (manifest.mode, manifest.parent_version) == ("incremental", first.version)
    assert _holdout(manifest) == _holdout(first)
    assert manifest.warnings == [f"the champion cannot tell its holdout: {gone} is not there"]
