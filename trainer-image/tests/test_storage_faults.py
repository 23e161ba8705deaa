"""The trainer's process against a real S3 server that fails: no version is ever half visible, and
`current.json` always names a whole one.
"""

import hashlib
import json
from collections.abc import Callable, Iterator
from typing import Any

import faulty_proxy as faults
import pandas as pd
import pytest
from faulty_proxy import Proxy, proxy_before
from trainyard_schema import Manifest, Reason, RunResult
from trainyard_schema.artifacts import CurrentPointer

MakeFrame = Callable[..., pd.DataFrame]
BUCKET = "trainyard"
CURRENT = "models/made/xgboost/current.json"
DEADLINE_SECONDS = 2.5
IMPATIENT = f"""
from trainyard_trainer import storage
storage.Storage.__init__.__kwdefaults__["deadline_seconds"] = {DEADLINE_SECONDS}
storage.connect.__kwdefaults__["read_timeout"] = 1
"""


@pytest.fixture
def proxy(endpoint: str) -> Iterator[Proxy]:
    with proxy_before(endpoint) as one:
        yield one


@pytest.fixture
def impatient(trainer: Any, proxy: Proxy, make_frame: MakeFrame) -> Any:
    """A trainer behind the proxy, with a table to train on, that gives up soon."""
    trainer.put(make_frame("binary"))
    trainer.endpoint, trainer.preamble = proxy.url, IMPATIENT
    return trainer


def read(s3: Any, key: str) -> bytes:
    return bytes(s3.get_object(Bucket=BUCKET, Key=key)["Body"].read())


def whole_versions(s3: Any, keys: Callable[..., list[str]]) -> set[str]:
    """The versions that can be seen. Fails if one is not whole, or `current.json` names none."""
    versions = set()
    for key in keys("models/"):
        if key.endswith("/manifest.json"):
            manifest = Manifest.model_validate_json(read(s3, key))
            for file in manifest.files:
                body = read(s3, key.replace("manifest.json", file.name))
                assert len(body) == file.size_bytes
                assert hashlib.sha256(body).hexdigest() == file.sha256
            versions.add(manifest.version)
    if CURRENT in keys("models/"):
        pointer = CurrentPointer.model_validate_json(read(s3, CURRENT))
        manifest_key = pointer.uri.removeprefix(f"s3://{BUCKET}/") + "manifest.json"
        assert hashlib.sha256(read(s3, manifest_key)).hexdigest() == pointer.manifest_sha256
        assert pointer.version in versions
    return versions


@pytest.fixture(name="versions")
def versions_fixture(s3: Any, keys: Callable[..., list[str]]) -> Callable[[], set[str]]:
    return lambda: whole_versions(s3, keys)


@pytest.mark.timeout(300)
def test_a_store_that_keeps_failing(
    *,
    impatient: Any,
    proxy: Proxy,
    s3: Any,
    keys: Callable[..., list[str]],
    versions: Callable[[], set[str]],
) -> None:
    first = impatient.run("xgboost").result.version
    before, files = read(s3, CURRENT), keys("models/")
    for fault, part in [
        (faults.unavailable, "model.ubj"),
        (faults.hang, "model.ubj"),
        (faults.corrupt, "model.ubj"),
        (faults.cut, "manifest.json"),
        (faults.truncate, "manifest.json"),
    ]:
        with proxy.failing(fault, "PUT", part) as rule:
            outcome = impatient.run("xgboost", overwrite=True)
        assert outcome.code == 75, outcome.result
        assert outcome.result.reason == Reason.UPLOAD_FAILED
        assert part in outcome.result.message
        assert rule.count > 1
        assert read(s3, CURRENT) == before
        assert versions() == {first.version}
        assert keys("models/") == files


def test_a_store_that_comes_back_in_time(
    impatient: Any, proxy: Proxy, versions: Callable[[], set[str]]
) -> None:
    once = [
        (faults.unavailable, "GET", "data/table.csv"),
        (faults.truncate_answer, "GET", "data/table.csv"),
        (faults.hang, "PUT", "model.ubj"),
        (faults.truncate_answer, "GET", "model.ubj"),
        (faults.truncate, "PUT", "preprocessing.json"),
        (faults.unavailable, "PUT", "schema.json"),
        (faults.lose_answer, "PUT", "metrics.json"),
        (faults.corrupt, "PUT", "manifest.json"),
        (faults.lose_answer, "PUT", "manifest.json"),
        (faults.cut, "PUT", "current.json"),
    ]
    rules = [proxy.fail(fault, method, part, times=1) for fault, method, part in once]
    outcome = impatient.run("xgboost")
    assert outcome.code == 0, outcome.result
    assert [rule.count for rule in rules] == [1] * len(once)
    assert versions() == {outcome.result.version.version}
    assert outcome.result.version.current


def test_a_slow_store_is_waited_for(
    impatient: Any, proxy: Proxy, versions: Callable[[], set[str]]
) -> None:
    for method in ("GET", "PUT"):
        proxy.fail(faults.slow, method, "")
    outcome = impatient.run("xgboost")
    assert outcome.code == 0, outcome.result
    assert versions() == {outcome.result.version.version}


def test_a_manifest_that_nobody_could_read_back_does_not_stay_without_its_files(
    *,
    impatient: Any,
    proxy: Proxy,
    versions: Callable[[], set[str]],
) -> None:
    proxy.fail(faults.unavailable, "GET", "manifest.json")
    assert impatient.run("xgboost").result.reason == Reason.UPLOAD_FAILED
    assert versions() == set()


def test_a_store_that_takes_no_deletes_either_keeps_a_version_whole(
    *,
    impatient: Any,
    proxy: Proxy,
    versions: Callable[[], set[str]],
) -> None:
    proxy.fail(faults.unavailable, "GET", "manifest.json")
    proxy.fail(faults.unavailable, "DELETE", "manifest.json")
    assert impatient.run("xgboost").result.reason == Reason.UPLOAD_FAILED
    assert len(versions()) == 1


def test_a_pointer_that_cannot_be_moved_stays_where_it_is(
    *,
    impatient: Any,
    proxy: Proxy,
    s3: Any,
    versions: Callable[[], set[str]],
) -> None:
    first = impatient.run("xgboost").result.version
    proxy.fail(faults.unavailable, "PUT", "current.json")
    outcome = impatient.run("xgboost", overwrite=True)
    assert outcome.result.reason == Reason.UPLOAD_FAILED
    assert json.loads(read(s3, CURRENT))["version"] == first.version
    assert len(versions()) == 2


@pytest.mark.parametrize("part", ["model.skops", "schema.json", "manifest.json"])
def test_sigterm_in_mid_upload(
    *,
    impatient: Any,
    proxy: Proxy,
    s3: Any,
    stop: Callable[..., float],
    make_frame: MakeFrame,
    versions: Callable[[], set[str]],
    part: str,
) -> None:
    impatient.preamble = ""
    hyperparameters: dict[str, int] = {}
    multipart = part == "model.skops"
    if multipart:
        impatient.put(make_frame("binary", rows=4000))
        hyperparameters = {"n_estimators": 1000, "min_samples_leaf": 1}
    proxy.fail(faults.hang, "PUT", part, query="partNumber=2" if multipart else "")
    process = impatient.start("random-forest", hyperparameters=hyperparameters)
    assert proxy.hanging.wait(60)
    assert bool(s3.list_multipart_uploads(Bucket=BUCKET).get("Uploads")) == multipart
    assert stop(process) < 6
    assert process.returncode == 143
    result = RunResult.model_validate_json(impatient.termination.read_text())
    assert result.reason == Reason.INTERRUPTED
    assert s3.list_multipart_uploads(Bucket=BUCKET).get("Uploads") is None
    assert versions() == set()


@pytest.mark.parametrize("overwrite", [False, True])
def test_two_trainers_of_one_run_at_once(
    *,
    impatient: Any,
    proxy: Proxy,
    s3: Any,
    versions: Callable[[], set[str]],
    overwrite: bool,
) -> None:
    """As when Kubernetes starts a pod twice. At no moment is anything half visible."""
    proxy.after_write = versions
    processes = [impatient.start("xgboost", overwrite=overwrite) for _ in range(2)]
    messages = [impatient.folder / f"termination-{number}" for number in (1, 2)]
    outcomes = [
        impatient.wait(process, termination=message)
        for process, message in zip(processes, messages, strict=True)
    ]
    assert proxy.errors == []
    assert [outcome.code for outcome in outcomes] == [0, 0]
    made = {outcome.result.version.version: outcome.result.version for outcome in outcomes}
    assert versions() == set(made)
    assert len(made) == 2
    current = made[json.loads(read(s3, CURRENT))["version"]]
    assert current.current
    assert sum(version.current for version in made.values()) == (2 if overwrite else 1)


@pytest.mark.parametrize("part", ["manifest.json", "current.json"])
def test_a_trainer_that_is_killed_while_another_goes_on(
    *,
    impatient: Any,
    proxy: Proxy,
    s3: Any,
    versions: Callable[[], set[str]],
    part: str,
) -> None:
    proxy.after_write = versions
    proxy.fail(faults.hang, "PUT", part, times=1)
    impatient.preamble = ""
    process = impatient.start("xgboost")
    assert proxy.hanging.wait(60)
    outcome = impatient.run("xgboost")
    process.kill()
    process.communicate()
    assert outcome.code == 0, outcome.result
    assert proxy.errors == []
    assert outcome.result.version.version in versions()
    assert json.loads(read(s3, CURRENT))["version"] == outcome.result.version.version
