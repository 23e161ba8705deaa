"""`trainyard-trainer history`, and models by the name of a Model that has a champion."""

import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from trainyard_schema import (
    Champion,
    CurrentPointer,
    ModelType,
    ModelVersion,
    TransitionRecord,
    VersionKey,
)
from trainyard_schema.artifacts import champion_key, transition_key
from trainyard_trainer import scoring
from trainyard_trainer.loading import find_current, load_model
from trainyard_trainer.scoring import CorruptedVersionError

BUCKET = "filed"
Command = Callable[..., "subprocess.CompletedProcess[str]"]


def put(filed: Any, key: str, body: str) -> None:
    filed.client.put_object(Bucket=BUCKET, Key=key, Body=body.encode())


def record(filed: Any, number: int, **fields: Any) -> TransitionRecord:
    one = TransitionRecord.model_validate(
        {
            "number": number,
            "time": f"2026-11-2{number}T03:10:00Z",
            "action": "Promoted",
            "by": "operator",
            "why": "churn-1 passed the gate",
            "model": "churn",
            "namespace": "trainyard",
            "modelUid": "u1",
            **fields,
        }
    )
    put(filed, transition_key("churn", number), one.to_json())
    return one


def champion(version: str, number: int, kind: str = "xgboost") -> Champion:
    return Champion.model_validate(
        {
            "modelType": kind,
            "version": version,
            "uri": f"s3://{BUCKET}/models/churn/{kind}/{version}/",
            "sha256": "ab",
            "run": "churn-1",
            "metric": "roc_auc=0.8400",
            "since": f"2026-11-2{number}T03:10:00Z",
            "transition": number,
        }
    )


V1, V2 = "20261121T030500Z-00000001", "20261122T030500Z-00000002"


@pytest.fixture
def history(filed: Any) -> Iterator[Command]:
    """The command, and a history of three transitions."""
    first, second = champion(V1, 1), champion(V2, 2, "neural-net")
    record(filed, 1, version=V1, to=first)
    record(filed, 2, version=V2, **{"from": first}, to=second)
    back = first.model_copy(update={"transition": 3})
    asked = {"action": "RolledBack", "by": "ada", "why": "worse\nin the north"}
    record(filed, 3, version=V1, **{"from": second}, to=back, **asked)

    def run(*arguments: str, **environment: str) -> "subprocess.CompletedProcess[str]":
        words = [sys.executable, "-m", "trainyard_trainer.cli", "history", *arguments]
        return subprocess.run(
            [*words, "--bucket", BUCKET],
            env=os.environ | {"AWS_ENDPOINT_URL": filed.endpoint} | environment,
            capture_output=True,
            text=True,
            check=False,
        )

    yield run
    for number in (1, 2, 3):
        filed.client.delete_object(Bucket=BUCKET, Key=transition_key("churn", number))


def test_the_whole_history_newest_first(history: Command) -> None:
    done = history("--model", "churn")
    assert done.returncode == 0, done.stderr
    title, *lines = done.stdout.splitlines()
    assert title.split() == [
        "NUMBER", "TIME", "ACTION", "VERSION", "BY", "CHAMPION", "METRIC", "WHY",
    ]  # fmt: skip
    assert [line.split()[:3] for line in lines] == [
        ["3", "2026-11-23T03:10:00Z", "RolledBack"],
        ["2", "2026-11-22T03:10:00Z", "Promoted"],
        ["1", "2026-11-21T03:10:00Z", "Promoted"],
    ]
    assert lines[0].split(maxsplit=7)[3:] == [
        V1, "ada", f"xgboost/{V1}", "roc_auc=0.8400", "worse in the north",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("time", "expected"),
    [
        ("2026-11-21T03:10:00Z", f"xgboost/{V1}"),
        ("2026-11-22", f"xgboost/{V1}"),
        ("2026-11-22T04:00", f"neural-net/{V2}"),
        ("2026-11-23T00:09:59-03:00", f"neural-net/{V2}"),
        ("2026-11-23T00:10:00-03:00", f"xgboost/{V1}"),
        ("2030-01-01", f"xgboost/{V1}"),
    ],
)
def test_the_champion_at_a_time(history: Command, time: str, expected: str) -> None:
    done = history("--model", "churn", "--at", time)
    assert done.returncode == 0, done.stderr
    [_, line] = done.stdout.splitlines()
    assert line.split()[5] == expected


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["--model", "churn", "--at", "2026-11-20"], 66, "churn had no champion at 2026-11-20"),
        (["--model", "other"], 66, "no transition under s3://filed/models/other/history/"),
        (["--model", "churn", "--at", "yesterday"], 2, "argument --at"),
    ],
)
def test_what_is_not_there_is_said(
    history: Command, arguments: list[str], code: int, words: str
) -> None:
    done = history(*arguments)
    assert (done.returncode, done.stdout) == (code, "")
    assert words in done.stderr


def test_a_record_that_cannot_be_read_is_said(history: Command, filed: Any) -> None:
    put(filed, transition_key("churn", 3), "{}")
    done = history("--model", "churn")
    assert done.returncode == 65
    assert "00000003.json is no transition" in done.stderr


@pytest.fixture
def crowned(filed: Any) -> Iterator[ModelVersion]:
    """The neural net is the champion of "made"."""
    version: ModelVersion = filed.versions["neural-net"]
    key = VersionKey("made", ModelType.NEURAL_NET, version.version).manifest
    manifest = filed.client.get_object(Bucket=BUCKET, Key=key)["Body"].read()
    pointer = CurrentPointer.model_validate(
        {
            "modelType": "neural-net",
            "version": version.version,
            "uri": version.uri,
            "manifestSha256": hashlib.sha256(manifest).hexdigest(),
            "updatedAt": "2026-11-23T03:10:00Z",
            "transition": 1,
        }
    )
    put(filed, champion_key("made"), pointer.to_json())
    yield version
    filed.client.delete_object(Bucket=BUCKET, Key=champion_key("made"))


def test_a_model_with_a_champion_needs_no_type(
    filed: Any, crowned: ModelVersion, tmp_path: Path
) -> None:
    at = {"endpoint_url": filed.endpoint}
    folder = f"s3://{BUCKET}/models/made/"
    assert find_current(BUCKET, "made", **at) == folder
    assert find_current(BUCKET, "made", ModelType.NEURAL_NET, **at) == folder
    assert find_current(BUCKET, "made", ModelType.XGBOOST, **at) == f"{folder}xgboost/"
    load_model(folder, folder=tmp_path, **at)
    assert scoring.verify(tmp_path).version == crowned.version


def test_a_copy_of_a_model_is_read_where_it_is(
    filed: Any, crowned: ModelVersion, tmp_path: Path
) -> None:
    shutil.copytree(filed.folders["neural-net"], tmp_path / "neural-net" / crowned.version)
    filed.client.download_file(BUCKET, champion_key("made"), str(tmp_path / "current.json"))
    load_model(tmp_path)
    manifest = tmp_path / "neural-net" / crowned.version / "manifest.json"
    manifest.write_text(manifest.read_text() + " ")
    with pytest.raises(CorruptedVersionError, match="by its SHA-256"):
        load_model(tmp_path)


def test_a_champions_pointer_that_cannot_be_read_is_an_error(
    filed: Any, crowned: ModelVersion
) -> None:
    put(filed, champion_key("made"), "{}")
    with pytest.raises(CorruptedVersionError, match="names no version"):
        find_current(BUCKET, "made", ModelType.XGBOOST, endpoint_url=filed.endpoint)
