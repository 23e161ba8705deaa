"""Runs with a gate, as the pod makes them."""

import json
from collections.abc import Callable
from typing import Any

import pandas as pd
import pytest
from trainyard_schema import EXIT_CODES, Manifest, Reason, RunResult
from trainyard_trainer import scoring
from trainyard_trainer.gate.case import Assessment

MakeFrame = Callable[..., pd.DataFrame]
BAD = {"n_estimators": 1, "max_depth": 1, "early_stopping_rounds": 0}


def _filed_verdict(trainer: Any, result: RunResult) -> Assessment:
    assert result.version is not None
    key = result.version.uri.removeprefix("s3://trainyard/") + "verdict.json"
    body = trainer.client.get_object(Bucket="trainyard", Key=key)["Body"].read()
    return Assessment.model_validate_json(body)


def test_the_way_of_candidates(
    trainer: Any, make_frame: MakeFrame, keys: Callable[..., list[str]]
) -> None:
    """A first version passes, a worse one does not, and one of another type is as good as it."""
    gate = {
        "margin": 0.02,
        "floor": 0.6,
        "maxSize": "5Mi",
        "maxLatencyMs": 10_000,
        "slices": [{"column": "city", "floor": 0.5, "minRows": 10}],
    }
    trainer.put(make_frame("binary", rows=1500))
    first = trainer.run("xgboost", gate=gate, overwrite=True)
    assert first.code == 0, first.result
    assert first.result.verdict.passed, first.result.verdict
    assert first.result.verdict.version == first.result.version.version
    assert [line["stage"] for line in first.log if line["message"] == "stage begins"][-2:] == [
        "Uploading",
        "Judging",
    ]
    assert any(line.get("gate") and line["message"] == "version is loaded" for line in first.log)

    champion = first.result.version.uri
    worse = trainer.run("xgboost", gate=gate, champion=champion, hyperparameters=BAD)
    assert worse.code == 0
    verdict = worse.result.verdict
    assert not verdict.passed
    assert verdict.undecided is None
    assert verdict.champion == champion
    assert verdict.champion_value == first.result.verdict.value
    assert float(verdict.lower_bound) < -0.02
    assert any("below the margin of -0.02" in reason for reason in verdict.reasons)
    filed = _filed_verdict(trainer, worse.result)
    assert filed.verdict == verdict
    assert filed.gate.to_dict() == {"confidence": 0.95, **gate}
    assert filed.latency is not None
    assert filed.comparison is not None

    other = trainer.run("random-forest", gate=gate | {"margin": 0.2}, champion=champion)
    assert other.result.verdict.passed, other.result.verdict
    # What was judged becomes current by promotion only.
    assert [key for key in keys("models/") if key.endswith("current.json")] == []
    assert not any(outcome.result.version.current for outcome in (first, worse, other))
    manifest: Manifest = scoring.verify(trainer.download(other.result))
    assert "verdict.json" not in {entry.name for entry in manifest.files}
    assert "golden-rows.parquet" in {entry.name for entry in manifest.files}


def test_a_candidate_that_is_damaged_in_the_store(
    trainer: Any, make_frame: MakeFrame, wait_for_line: Callable[..., str]
) -> None:
    trainer.put(make_frame("binary"))
    process = trainer.start("xgboost", gate={})
    output = wait_for_line(process, "version published")
    uri = json.loads(output.splitlines()[-1])["uri"]
    key = uri.removeprefix("s3://trainyard/") + "model.ubj"
    trainer.client.put_object(Bucket="trainyard", Key=key, Body=b"something else")
    outcome = trainer.wait(process)
    assert outcome.code == 0
    verdict = outcome.result.verdict
    assert not verdict.passed
    assert "model.ubj is not the file that the manifest names" in verdict.reasons[0]
    assert outcome.result.version.uri == uri


def test_an_interruption_while_it_is_judged(
    trainer: Any,
    make_frame: MakeFrame,
    wait_for_line: Callable[..., str],
    stop: Callable[..., float],
) -> None:
    trainer.put(make_frame("binary"))
    process = trainer.start("xgboost", gate={"maxLatencyMs": 10_000})
    wait_for_line(process, '"stage": "Judging"')
    assert stop(process) < 5
    # The version is there; another attempt would only leave another one.
    assert process.returncode == 0
    result = RunResult.model_validate_json(trainer.termination.read_text())
    assert result.version is not None
    assert result.verdict is not None
    assert (result.verdict.passed, result.verdict.undecided) == (False, True)


@pytest.mark.parametrize(
    ("gate", "parts"),
    [
        (
            {"metric": "rmse"},
            ["spec.gate.metric 'rmse' is no metric of a binary task", "roc_auc, pr_auc"],
        ),
        (
            {"slices": [{"column": "flag", "floor": 0}, {"column": "county", "floor": 0}]},
            ["spec.gate.slices.1.column", "no column 'county'", "a, amount, b, city, flag"],
        ),
    ],
)
def test_a_gate_that_cannot_be_is_refused_before_training(
    trainer: Any,
    make_frame: MakeFrame,
    keys: Callable[..., list[str]],
    gate: dict[str, Any],
    parts: list[str],
) -> None:
    trainer.put(make_frame("binary"))
    outcome = trainer.run("xgboost", gate=gate)
    assert outcome.result.reason == Reason.INVALID_SPEC
    assert outcome.code == EXIT_CODES[Reason.INVALID_SPEC]
    assert all(part in outcome.result.message for part in parts)
    assert not any(line.get("stage") == "Training" for line in outcome.log)
    assert keys("models/") == []


def test_a_slice_by_a_column_that_is_not_learned_from(trainer: Any, make_frame: MakeFrame) -> None:
    trainer.put(make_frame("regression", rows=1000))
    gate = {"slices": [{"column": "city", "floor": 1000, "minRows": 10}]}
    result = trainer.run("xgboost", gate=gate, data={"exclude": ["id", "city"]}).result
    assert result.verdict.passed, result.verdict
    assert result.verdict.metric == "rmse"
    slices = _filed_verdict(trainer, result).slices
    assert {item.value for item in slices or []} == {"Oslo", "Rome", "Lima", "Kyiv", "(missing)"}
    schema = json.loads((trainer.download(result) / "schema.json").read_text())
    assert "city" not in {feature["name"] for feature in schema["features"]}


def test_an_unchanged_version_is_judged_beside_the_champion_of_now(
    trainer: Any, make_frame: MakeFrame
) -> None:
    trainer.put(make_frame("binary"))
    asked = {"gate": {"margin": 0.01}, "skipIfUnchanged": True}
    first = trainer.run("xgboost", **asked).result
    again = trainer.run("xgboost", champion=first.version.uri, **asked).result
    assert again.version.unchanged
    assert again.version.version == first.version.version
    assert (first.verdict.champion, first.verdict.lower_bound) == (None, None)
    assert (again.verdict.champion, again.verdict.lower_bound) == (first.version.uri, "0")
    # The evidence of the first run is not replaced.
    assert _filed_verdict(trainer, again).verdict == first.verdict
