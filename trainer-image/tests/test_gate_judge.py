"""Each check of the gate, failing alone, on versions that the trainer filed."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from trainyard_schema import Gate, StorageConfig
from trainyard_schema.artifacts import GOLDEN_ROWS, HOLDOUT, MANIFEST
from trainyard_trainer import loading
from trainyard_trainer.gate.case import Assessment, Case, short
from trainyard_trainer.gate.judge import judge
from trainyard_trainer.storage import sha256_of

Judge = Callable[..., Assessment]
Changed = Callable[..., str]
TYPES = ["xgboost", "random-forest", "neural-net"]


@pytest.fixture
def judged(filed: Any, tmp_path: Path) -> Judge:
    def run(candidate: str, champion: str | None = None, **gate: Any) -> Assessment:
        """Candidate and champion are keys of `filed`, or URIs."""
        uris = [
            filed.versions[name].uri if name in filed.versions else name
            for name in (candidate, champion)
        ]
        case = Case(
            candidate=uris[0],
            champion=uris[1],
            gate=Gate.model_validate(gate),
            storage=StorageConfig(bucket="filed", endpoint_url=filed.endpoint),
            seed=1,
            threads=1,
        )
        return judge(case, tmp_path / "judged")

    return run


@pytest.fixture
def changed(filed: Any, tmp_path: Path) -> Iterator[Changed]:
    """Files a copy of a version, some of its files replaced; the manifest goes with them unless it
    is to be found out.
    """
    made: list[str] = []

    def file(
        name: str, files: dict[str, bytes | None], *, found_out: bool = False, **fields: Any
    ) -> str:
        folder = tmp_path / f"changed-{len(made)}"
        folder.mkdir()
        manifest = json.loads((filed.folders[name] / MANIFEST).read_bytes()) | fields
        for entry in manifest["files"]:
            path = folder / entry["name"]
            path.write_bytes((filed.folders[name] / entry["name"]).read_bytes())
            if entry["name"] in files:
                path.write_bytes(files[entry["name"]] or b"")
                if not found_out:
                    entry |= {"sha256": sha256_of(path), "sizeBytes": path.stat().st_size}
        missing = [gone for gone, body in files.items() if body is None]
        if not found_out:
            manifest["files"] = [e for e in manifest["files"] if e["name"] not in missing]
        for gone in missing:
            (folder / gone).unlink()
        (folder / MANIFEST).write_text(json.dumps(manifest))
        prefix = f"models/changed/{manifest['modelType']}/20260101T000000Z-0000000{len(made)}/"
        for path in folder.iterdir():
            filed.client.upload_file(str(path), "filed", prefix + path.name)
            made.append(prefix + path.name)
        return f"s3://filed/{prefix}"

    yield file
    for key in made:
        filed.client.delete_object(Bucket="filed", Key=key)


def _reason(found: Assessment) -> str:
    assert not found.verdict.passed
    (reason,) = found.reasons
    assert found.verdict.reasons == short([reason])
    return reason


def _table(folder: Path, name: str) -> pd.DataFrame:
    frame: pd.DataFrame = pq.read_table(folder / name).to_pandas()
    return frame


def _bytes(frame: pd.DataFrame) -> bytes:
    sink = pa.BufferOutputStream()
    pq.write_table(pa.Table.from_pandas(frame, preserve_index=False), sink)
    body: bytes = sink.getvalue().to_pybytes()
    return body


@pytest.mark.parametrize("name", [*TYPES, "prices"])
def test_an_empty_gate_asks_whether_it_is_what_was_trained(
    judged: Judge, filed: Any, name: str
) -> None:
    found = judged(name)
    verdict = found.verdict
    assert verdict.passed
    assert verdict.undecided is None
    assert (verdict.reasons, verdict.champion, verdict.lower_bound) == ([], None, None)
    assert (verdict.model_type, verdict.version) == (
        filed.versions[name].model_type,
        filed.versions[name].version,
    )
    assert (found.golden_rows, found.holdout_rows) == (80, 80)
    assert found.golden_difference is not None
    assert found.golden_difference < 0.05
    metrics = json.loads((filed.folders[name] / "metrics.json").read_text())["holdout"]
    assert verdict.metric == next(iter(metrics)) == ("rmse" if name == "prices" else "roc_auc")
    assert float(verdict.value or "") == pytest.approx(metrics[verdict.metric], rel=1e-5)


@pytest.mark.parametrize("champion", TYPES)
def test_a_champion_of_any_type_is_compared(judged: Judge, filed: Any, champion: str) -> None:
    found = judged("xgboost", champion, margin=1.0, metric="log_loss")
    assert found.verdict.passed, found.reasons
    metrics = json.loads((filed.folders[champion] / "metrics.json").read_text())["holdout"]
    assert float(found.verdict.champion_value or "") == pytest.approx(metrics["log_loss"], rel=1e-5)
    assert found.verdict.champion == filed.versions[champion].uri
    if champion == "xgboost":
        assert found.verdict.lower_bound == "0"
    # All three were trained on one split, so the holdout is the champion's own.
    assert found.reasons == []


def test_without_a_margin_the_champion_is_only_told(judged: Judge) -> None:
    found = judged("neural-net", "xgboost")
    assert found.verdict.passed
    assert found.verdict.champion_value is not None
    assert float(found.verdict.lower_bound or "") < 0


def test_without_a_champion_a_margin_asks_nothing(judged: Judge) -> None:
    found = judged("xgboost", margin=0.0)
    assert found.verdict.passed
    assert found.reasons == ["there is no champion yet, so nothing was compared"]


def test_worse_than_the_champion(judged: Judge) -> None:
    found = judged("neural-net", "xgboost", margin=0.0, confidence=0.999)
    reason = _reason(found)
    assert found.verdict.undecided is None
    assert reason.startswith("roc_auc is 0.")
    assert reason.endswith("(one-sided, 0.999), below the margin of -0")


def test_below_the_floor(judged: Judge) -> None:
    assert _reason(judged("xgboost", floor=0.9999)).endswith("below the floor of 0.9999")
    reason = _reason(judged("xgboost", metric="log_loss", floor=0.001))
    assert reason.endswith("above the floor of 0.001")
    assert judged("xgboost", metric="log_loss", floor=1).verdict.passed


def test_below_a_slice_of_the_floor(judged: Judge) -> None:
    slices = [{"column": "city", "floor": 1.1, "minRows": 10}, {"column": "flag", "floor": 0.1}]
    found = judged("xgboost", metric="accuracy", slices=slices)
    assert not found.verdict.passed
    failure, note = found.reasons
    assert failure.startswith("accuracy is below 1.1 for 4 of 4 values of 'city': ")
    assert note == "no value of 'flag' has 100 holdout rows; none was looked at"
    assert {item.column for item in found.slices or []} == {"city"}


def test_a_holdout_without_the_column_of_a_slice_is_for_a_person(judged: Judge) -> None:
    found = judged("xgboost", slices=[{"column": "age", "floor": 0.5}])
    assert "no column 'age' to slice by" in _reason(found)
    assert found.verdict.undecided


def test_too_large(judged: Judge, filed: Any) -> None:
    size = filed.versions["xgboost"].size_bytes
    assert judged("xgboost", maxSize=str(size)).verdict.passed
    reason = _reason(judged("xgboost", maxSize=str(size - 1)))
    assert reason.startswith(f"model.ubj has {size} bytes")
    assert reason.endswith(f"more than maxSize {size - 1}")


def test_too_slow(judged: Judge) -> None:
    found = judged("random-forest", maxLatencyMs=60_000)
    assert found.verdict.passed
    assert found.latency is not None
    assert 0 < found.latency.median_ms <= found.latency.p95_ms
    reason = _reason(judged("random-forest", maxLatencyMs=0.01))
    assert reason.endswith("longer than maxLatencyMs 0.01")


def test_a_metric_of_another_task(judged: Judge) -> None:
    reason = _reason(judged("xgboost", "xgboost", metric="rmse", margin=0))
    assert reason == (
        "gate.metric 'rmse' is no metric of a binary task; choose one of roc_auc, pr_auc, "
        "log_loss, brier, f1, balanced_accuracy, accuracy"
    )


@pytest.mark.parametrize("damage", ["model.ubj", "preprocessing.json", "schema.json", HOLDOUT])
def test_a_file_of_the_candidate_is_not_the_one_that_was_filed(
    judged: Judge, changed: Changed, filed: Any, damage: str
) -> None:
    body = bytearray((filed.folders["xgboost"] / damage).read_bytes())
    body[len(body) // 2] ^= 1
    reason = _reason(judged(changed("xgboost", {damage: bytes(body)}, found_out=True)))
    assert f"{damage} is not the file that the manifest names" in reason
    reason = _reason(judged(changed("xgboost", {damage: None}, found_out=True)))
    assert damage in reason
    assert "is missing" in reason


def test_a_candidate_that_predicts_something_else_than_in_training(
    judged: Judge, changed: Changed, filed: Any
) -> None:
    # All hashes are right: only the golden rows know that the encoding is another one.
    body = (filed.folders["xgboost"] / "preprocessing.json").read_bytes()
    other = json.loads(body)
    for column in other["columns"]:
        if column["name"] == "city":
            column["category"]["levels"].reverse()
    uri = changed("xgboost", {"preprocessing.json": json.dumps(other).encode()})
    found = judged(uri)
    assert "predicts something else for its 80 golden rows than training did" in _reason(found)
    assert (found.golden_difference or 0) > 10


@pytest.mark.parametrize("name", [GOLDEN_ROWS, HOLDOUT])
def test_a_candidate_without_rows(judged: Judge, changed: Changed, name: str) -> None:
    found = judged(changed("xgboost", {name: None}), "xgboost", margin=0, maxLatencyMs=1)
    assert _reason(found).startswith(f"the version has no {name}")


def test_a_model_file_that_is_none(judged: Judge, changed: Changed) -> None:
    reason = _reason(judged(changed("xgboost", {"model.ubj": b"{}"})))
    assert "cannot be loaded as a xgboost model" in reason


def test_a_candidate_that_is_gone(judged: Judge) -> None:
    uri = "s3://filed/models/made/xgboost/20260101T000000Z-ffffffff/"
    found = judged(uri)
    assert "no model is there" in _reason(found)
    assert found.verdict.undecided is None


def _incomparable(filed: Any, changed: Changed) -> dict[str, tuple[str, str]]:
    frame = _table(filed.folders["xgboost"], HOLDOUT)
    schema = json.loads((filed.folders["neural-net"] / "schema.json").read_text())
    schema["classes"] = ["Maybe", "Yes"]
    return {
        "gone": ("s3://filed/models/made/xgboost/20260101T000000Z-ffffffff/", "no model is there"),
        "no bucket": ("s3://no-such-bucket/a/", "there is no bucket"),
        "corrupted": (changed("neural-net", {"schema.json": b"{}"}, found_out=True), "schema.json"),
        "task": (filed.versions["prices"].uri, "is for another task: regression"),
        "classes": (
            changed("neural-net", {"schema.json": json.dumps(schema).encode()}),
            "is for another task: binary with the classes Maybe, Yes",
        ),
        "columns": (
            changed("xgboost", {HOLDOUT: _bytes(frame.drop(columns="b"))}),
            "the rows lack column 'b'",
        ),
    }


@pytest.mark.parametrize("how", ["gone", "no bucket", "corrupted", "task", "classes"])
def test_a_champion_that_cannot_be_compared_is_for_a_person(
    judged: Judge, changed: Changed, filed: Any, how: str
) -> None:
    champion, text = _incomparable(filed, changed)[how]
    found = judged("xgboost", champion, margin=0.1)
    reason = _reason(found)
    assert text in reason
    assert "promote this version by hand" in found.verdict.reasons[0]
    assert found.verdict.undecided
    assert found.verdict.champion == champion
    assert found.verdict.champion_value is None
    assert found.verdict.value is not None
    # Without a margin nothing hangs on it; with another failure a person has nothing to decide.
    assert judged("xgboost", champion).verdict.passed
    both = judged("xgboost", champion, margin=0.1, floor=0.9999).verdict
    assert (both.passed, both.undecided, len(both.reasons)) == (False, None, 2)


def test_a_champion_that_needs_a_column_of_its_own(
    judged: Judge, changed: Changed, filed: Any
) -> None:
    schema = json.loads((filed.folders["xgboost"] / "schema.json").read_text())
    for feature in schema["features"]:
        feature["name"] = feature["name"].replace("amount", "price")
    body = json.loads((filed.folders["xgboost"] / "preprocessing.json").read_text())
    for column in body["columns"]:
        column["name"] = column["name"].replace("amount", "price")
    files = {
        "schema.json": json.dumps(schema).encode(),
        "preprocessing.json": json.dumps(body).encode(),
    }
    found = judged("neural-net", changed("xgboost", files), margin=0.1)
    assert "the rows lack column 'price'" in _reason(found)
    assert found.verdict.undecided


def test_a_holdout_of_another_version_speaks_for_the_champion(
    judged: Judge, changed: Changed, filed: Any
) -> None:
    frame = _table(filed.folders["xgboost"], HOLDOUT)
    uri = changed("xgboost", {HOLDOUT: _bytes(frame.iloc[::-1])})
    assert "may have learned from some of its rows" in judged(uri, "xgboost").reasons[0]
    source = {"uri": "s3://filed/own.csv", "etag": "", "sha256": "", "sizeBytes": 1}
    uri = changed("xgboost", {HOLDOUT: _bytes(frame.iloc[::-1])}, holdout=source)
    assert judged(uri, "xgboost").reasons == []


def test_a_store_that_does_not_answer_is_for_a_person(
    filed: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loading, "_DEADLINE_SECONDS", 1.0)
    case = Case(
        candidate=filed.versions["xgboost"].uri,
        gate=Gate(),
        storage=StorageConfig(bucket="filed", endpoint_url="http://127.0.0.1:1"),
        seed=1,
        threads=1,
    )
    found = judge(case, tmp_path)
    assert "gave up after" in _reason(found)
    assert found.verdict.undecided


@given(st.lists(st.integers(0, 300).map("ä ".__mul__), max_size=30))
def test_a_status_holds_the_reasons(reasons: list[str]) -> None:
    found = short(reasons)
    assert len(found) == min(len(reasons), 8)
    assert all(len(reason) <= 256 for reason in found)
    if len(reasons) > 8:
        assert found[-1] == f"and {len(reasons) - 7} more, in verdict.json of the version"
