"""Whatever becomes of the gate's process, there is a verdict."""

import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from trainyard_schema import Gate, StorageConfig
from trainyard_trainer import memory
from trainyard_trainer.gate import stage
from trainyard_trainer.gate.case import Assessment, Case
from trainyard_trainer.gate.process import GateProcess, environment
from trainyard_trainer.gate.stage import file_verdict


@pytest.fixture
def deaf() -> Iterator[str]:
    """An object store that takes connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"http://127.0.0.1:{server.getsockname()[1]}"


def _case(filed: Any, endpoint: str | None = None) -> Case:
    return Case(
        candidate=filed.versions["xgboost"].uri,
        gate=Gate(),
        storage=StorageConfig(bucket="filed", endpoint_url=endpoint or filed.endpoint),
        seed=1,
        threads=1,
    )


def _reason(found: Assessment) -> str:
    assert not found.verdict.passed
    (reason,) = found.verdict.reasons
    return reason


def _pid(process: GateProcess) -> int:
    deadline = time.monotonic() + 30
    while process._process is None:
        assert time.monotonic() < deadline
    return process._process.pid


def test_it_answers(filed: Any) -> None:
    found = GateProcess(_case(filed)).judge()
    assert found.verdict.passed, found.reasons
    assert found.golden_rows == 80


def test_it_knows_the_credentials_and_nothing_of_the_run(
    filed: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRAINYARD_RUN", "{}")
    monkeypatch.setenv("POD_UID", "pod-1")
    monkeypatch.setenv("AWS_WEB_IDENTITY_TOKEN_FILE", "/token")
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    found = environment(_case(filed), "/scratch")
    assert not {"TRAINYARD_RUN", "POD_UID", "TERMINATION_LOG", "PYTEST_CURRENT_TEST"} & set(found)
    assert found["AWS_ACCESS_KEY_ID"] == os.environ["AWS_ACCESS_KEY_ID"]
    assert found["AWS_WEB_IDENTITY_TOKEN_FILE"] == "/token"
    assert (found["OMP_NUM_THREADS"], found["AWS_REGION"]) == ("3", "us-east-1")
    assert found["TMPDIR"] == "/scratch"


def test_a_timeout(filed: Any, deaf: str) -> None:
    process = GateProcess(_case(filed, deaf))
    reason = _reason(process.judge(timeout_seconds=2))
    assert reason == "the gate did not end within 2 s and was stopped"
    assert process._process is not None
    assert process._process.returncode == -signal.SIGKILL


def test_too_little_memory(filed: Any, deaf: str) -> None:
    # The process takes some 100 MB for its libraries.
    process = GateProcess(_case(filed, deaf), memory.anonymous() + (50 << 20))
    reason = _reason(process.judge())
    assert reason.startswith("the gate was stopped for lack of memory")
    assert reason.endswith("set spec.resources.limits.memory higher")


def test_a_kill_by_the_kernel(filed: Any, deaf: str) -> None:
    process = GateProcess(_case(filed, deaf))
    threading.Thread(target=lambda: os.kill(_pid(process), signal.SIGKILL)).start()
    assert _reason(process.judge()).startswith("the gate was killed, most likely for lack of")


def test_it_is_the_one_that_the_kernel_kills(filed: Any, deaf: str) -> None:
    process = GateProcess(_case(filed, deaf))
    answer: list[Assessment] = []
    thread = threading.Thread(target=lambda: answer.append(process.judge()))
    thread.start()
    score = Path(f"/proc/{_pid(process)}/oom_score_adj")
    deadline = time.monotonic() + 30
    while score.read_text() != "1000\n":
        assert time.monotonic() < deadline
        time.sleep(0.01)
    process.abandon(1)
    thread.join()


def test_a_crash(filed: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONHOME", "/nowhere")
    reason = _reason(GateProcess(_case(filed)).judge())
    assert reason == "the gate crashed (exit code 1); the pod's log says why"


def test_a_defect_of_its_own_is_told(filed: Any, tmp_path: Path, monkeypatch: Any) -> None:
    # A module that breaks when it is imported, in the way of the one that loads models.
    (tmp_path / "xgboost.py").write_text("1 / 0")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path), *sys.path]))
    assert "ZeroDivisionError" in _reason(GateProcess(_case(filed)).judge())


def test_an_interruption_kills_it_at_once(filed: Any, deaf: str) -> None:
    process = GateProcess(_case(filed, deaf))

    def interrupt() -> None:
        _pid(process)
        assert process.abandon(1)

    threading.Thread(target=interrupt).start()
    found = process.judge()
    assert process.interrupted
    assert "the pod was stopped before the gate was done" in _reason(found)
    assert found.verdict.undecided


def test_an_interruption_before_it_starts(filed: Any) -> None:
    process = GateProcess(_case(filed))
    process.abandon(1)
    assert process.judge().verdict.undecided
    assert process._process is None


def test_the_verdict_of_an_earlier_run_stays(s3: Any, endpoint: str) -> None:
    folder = "models/made/xgboost/20260101T000000Z-00000000/"
    case = Case(
        candidate=f"s3://trainyard/{folder}",
        gate=Gate(),
        storage=StorageConfig(bucket="trainyard", endpoint_url=endpoint),
        seed=1,
        threads=1,
    )
    for uid in ("first", "second"):
        file_verdict(case, Assessment.failed(case, uid), uid)
    found = {
        name: s3.get_object(Bucket="trainyard", Key=folder + name)["Body"].read()
        for name in ("verdict.json", "verdict-second.json")
    }
    reasons = [Assessment.model_validate_json(body).reasons for body in found.values()]
    assert reasons == [["first"], ["second"]]


def test_a_verdict_that_cannot_be_filed_is_a_warning(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(stage, "_FILING_SECONDS", 0.1)
    case = Case(
        candidate="s3://no-such-bucket/models/made/xgboost/20260101T000000Z-00000000/",
        gate=Gate(),
        storage=StorageConfig(bucket="no-such-bucket", endpoint_url="http://127.0.0.1:1"),
        seed=1,
        threads=1,
    )
    file_verdict(case, Assessment.failed(case, "why"), "uid")
    assert "the verdict is not filed" in capsys.readouterr().out
