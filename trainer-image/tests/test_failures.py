"""Every failure that can be expected: its reason, its exit code, a message that helps, and nothing
visible.
"""

from collections.abc import Callable
from typing import Any

import pandas as pd
import pytest
from trainyard_schema import EXIT_CODES, Reason

MakeFrame = Callable[..., pd.DataFrame]


def _check(outcome: Any, reason: Reason, *parts: str) -> None:
    assert outcome.result.reason == reason
    assert outcome.code == EXIT_CODES[reason]
    for part in parts:
        assert part in outcome.result.message
    assert "\n" not in outcome.result.message


@pytest.mark.parametrize(
    ("fields", "reason", "parts"),
    [
        (
            {"data": {"uri": "s3://trainyard/data/nothing.csv"}},
            Reason.DATA_NOT_FOUND,
            ["s3://trainyard/data/nothing.csv", "no such object", "spec.data.uri"],
        ),
        (
            {"data": {"uri": "s3://no-such-bucket/table.csv"}},
            Reason.DATA_NOT_FOUND,
            ["no such bucket"],
        ),
        (
            {"data": {"uri": "s3://trainyard/empty/"}},
            Reason.DATA_NOT_FOUND,
            ["nothing under s3://trainyard/empty/"],
        ),
        ({"data": {"target": "Y"}}, Reason.INVALID_DATA, ["spec.data.target", "'Y'", "'y'"]),
        ({"data": {"exclude": ["idd"]}}, Reason.INVALID_DATA, ["spec.data.exclude", "'id'"]),
        (
            {"data": {"exclude": ["id", "a", "b", "city", "flag", "amount"]}},
            Reason.INVALID_DATA,
            ["no column is left"],
        ),
        (
            {"hyperparameters": {"max_depth": 99}},
            Reason.INVALID_HYPERPARAMETER,
            ["spec.hyperparameters.max_depth", "32"],
        ),
        (
            {"hyperparameters": {"depth": 3}},
            Reason.INVALID_HYPERPARAMETER,
            ["spec.hyperparameters.depth", "max_depth"],
        ),
    ],
)
def test_bad_requests(
    *,
    trainer: Any,
    make_frame: MakeFrame,
    keys: Callable[..., list[str]],
    fields: dict[str, Any],
    reason: Reason,
    parts: list[str],
) -> None:
    trainer.put(make_frame("binary"))
    _check(trainer.run("xgboost", **fields), reason, *parts)
    assert keys("models/") == []


def test_a_table_that_is_none(trainer: Any, s3: Any) -> None:
    s3.put_object(Bucket="trainyard", Key="data/table.csv", Body=b"a,y\n1,2,3\n")
    _check(trainer.run("xgboost"), Reason.INVALID_DATA, "s3://trainyard/data/table.csv", "CSV")


def test_too_few_rows_of_a_class_for_the_folds(trainer: Any, make_frame: MakeFrame) -> None:
    frame = make_frame("binary")
    frame["y"] = ["rare"] * 4 + ["common"] * (len(frame) - 4)
    trainer.put(frame)
    outcome = trainer.run("random-forest", crossValidation={"folds": 5})
    _check(outcome, Reason.INSUFFICIENT_DATA, "'rare'", "spec.crossValidation.folds")


def test_a_bucket_for_models_that_is_missing(trainer: Any, s3: Any, make_frame: MakeFrame) -> None:
    trainer.put(make_frame("binary"))
    trainer.wait(trainer.start("xgboost"))
    document = trainer.document.replace('"bucket":"trainyard"', '"bucket":"absent"')
    process = trainer.start_again(document)
    _check(trainer.wait(process), Reason.UPLOAD_FAILED, "absent", "bucket does not exist")


@pytest.mark.parametrize(
    ("environment", "part"),
    [
        ({"TRAINYARD_RUN": ""}, "TRAINYARD_RUN is not set"),
        ({"TRAINYARD_RUN": "{}"}, "TRAINYARD_RUN.trainingJob"),
        ({"JOB_COMPLETION_INDEX": "3"}, "JOB_COMPLETION_INDEX is '3'"),
    ],
)
def test_a_bad_environment(trainer: Any, environment: dict[str, str], part: str) -> None:
    trainer.environment = environment
    _check(trainer.run("xgboost"), Reason.INVALID_SPEC, part)


def test_the_unexpected_is_a_crash_with_its_traceback_in_the_log(trainer: Any) -> None:
    trainer.environment = {"TMPDIR": "/nonexistent", "TRAINER_PORT": "not a number"}
    outcome = trainer.run("xgboost")
    _check(outcome, Reason.TRAINER_CRASHED, "ValueError", "not a number")
    crash = next(line for line in outcome.log if line["message"] == "run crashed")
    assert "Traceback" in crash["exception"]
