"""What the operator says of the progress of trainers that it asks over HTTP."""

import random
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from trainyard_schema import ModelType, Progress, RunResult, Stage, names
from trainyard_schema.run import RunProgress

from ..control_plane import wait_for
from .conftest import Lab
from .results import result

pytestmark = [pytest.mark.component, pytest.mark.timeout(120)]

IMPATIENT = """
from trainyard_controller import poller
poller.ProgressPoller.__init__.__kwdefaults__["silence"] = 3
"""
"""A trainer is missed after 3 s instead of 30 s."""
SECONDS = {Stage.DOWNLOADING: 10.0, Stage.TRAINING: 80.0, Stage.UPLOADING: 10.0}


class Trainer:
    """Serves /progress at an address of its own on the loopback interface, as a pod has one."""

    def __init__(self) -> None:
        self.address = ".".join(map(str, (127, *(random.randint(2, 250) for _ in range(3)))))
        self.report = RunProgress(
            model_type=ModelType.XGBOOST,
            stage=Stage.DOWNLOADING,
            stage_seconds={Stage.DOWNLOADING: 2.0},
            share=0.2,
            total=2000,
            stops_early=True,
        )

    def say(self, **fields: Any) -> None:
        self.report = self.report.model_copy(update=fields)

    @contextmanager
    def listening(self) -> Iterator[None]:
        trainer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                assert self.path == names.PROGRESS_PATH
                self.send_response(200)
                self.end_headers()
                self.wfile.write(trainer.report.to_json().encode())

            def log_message(self, *_: Any) -> None:
                """Polls are no news."""

        server = ThreadingHTTPServer((self.address, names.TRAINER_PORT), Handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield
        server.shutdown()
        server.server_close()


def run(lab: Lab, trainer: Trainer, **spec: Any) -> tuple[str, dict[str, Any]]:
    """A TrainingJob whose pod runs at the trainer's address."""
    name = lab.submit(**spec)
    pod = lab.run_pod(name)
    lab.rest.patch(
        f"{lab.core}/pods/{pod['metadata']['name']}/status",
        {"status": {"podIP": trainer.address, "podIPs": [{"ip": trainer.address}]}},
    )
    return name, pod


def timed_result() -> str:
    left = RunResult.model_validate_json(result())
    assert left.version is not None
    version = left.version.model_copy(update={"stage_seconds": SECONDS, "units": 100})
    return left.model_copy(update={"version": version}).to_json()


def until_progress(lab: Lab, name: str, what: str, **fields: Any) -> Progress:
    def reached() -> Progress | None:
        progress = lab.status(name).progress
        told = progress is not None and all(
            getattr(progress, field) == value for field, value in fields.items()
        )
        return progress if told else None

    return wait_for(f"the progress {what}", reached)


def test_a_past_run_tells_the_end_of_the_next_one_and_the_error_is_measured(lab: Lab) -> None:
    lab.start()
    trainer = Trainer()
    with trainer.listening():
        first, pod = run(lab, trainer, model="churn")
        known = until_progress(lab, first, "is of a typical run", percent=1)
        assert known.eta_seconds is None
        lab.end_pod(pod, 0, timed_result())
        lab.until(first, "Succeeded")

        second, pod = run(lab, trainer, model="churn")
        known = until_progress(lab, second, "is of a run of 100 s", percent=2)
        assert known.eta_seconds == 98
        predicted = datetime.now(UTC)
        trainer.say(
            stage=Stage.TRAINING,
            stage_seconds={Stage.DOWNLOADING: 10.0, Stage.TRAINING: 40.0},
            share=0.025,
            done=50,
            rate=1.25,
        )
        known = until_progress(lab, second, "is that of half a run", percent=50, done=50)
        assert (known.eta_seconds, known.total) == (50, 2000)
        status = lab.status(second)
        assert status.stage == Stage.TRAINING
        # What was predicted in the first half of the run is there at three quarters of it.
        assert status.start_time is not None
        half = predicted - status.start_time
        wait_for("as much time goes by again", lambda: datetime.now(UTC) > predicted + half)
        lab.end_pod(pod, 0, timed_result())
        done = lab.until(second, "Succeeded").progress
        assert done is not None
        assert (done.percent, done.done, done.total, done.eta_seconds) == (100, 100, 100, None)
    assert lab.observations("trainyard_eta_error_ratio") > 0


def test_a_trainer_that_falls_silent_is_told_once_and_heard_again(lab: Lab) -> None:
    lab.start(IMPATIENT)
    trainer = Trainer()
    with trainer.listening():
        name, _ = run(lab, trainer)
        until_progress(lab, name, "is there", percent=5 * 20 // 95)
    stale = until_progress(lab, name, "is stale", stale=True)
    written, looked = lab.writes, lab.reconciliations
    annotations = {"metadata": {"annotations": {"look": "again"}}}
    lab.rest.patch(f"{lab.training_jobs}/{name}", annotations)
    wait_for("the operator looks again", lambda: lab.reconciliations > looked)
    assert lab.writes == written
    with trainer.listening():
        again = until_progress(lab, name, "is fresh", stale=None)
    assert again.updated_at > stale.updated_at
