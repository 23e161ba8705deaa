"""Requests to retrain, through the client and its command, with the operator's part played."""

import os
import sys
import threading
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from trainyard_client import Client, NotFoundError, TooManyRequestsError, UnavailableError

from ..api.replicas import OpenYard, Replica, Yard, token
from ..control_plane import ControlPlane
from .conftest import Run, run

pytestmark = pytest.mark.component


@pytest.fixture(scope="module")
def yard(open_yard: OpenYard) -> Yard:
    return open_yard()


@pytest.fixture(scope="module")
def replica(yard: Yard) -> Replica:
    return yard.start()


@pytest.fixture
def user() -> str:
    """One who has asked for nothing so far."""
    return f"user-{uuid.uuid4()}"


@pytest.fixture
def model(yard: Yard) -> str:
    return yard.model(f"model-{uuid.uuid4()}")


@pytest.fixture
def client(replica: Replica, user: str) -> Iterator[Client]:
    with Client(replica.url, token(user), patience=5) as client:
        yield client


@pytest.fixture
def trainyard(replica: Replica, user: str, tmp_path: Path) -> Run:
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path),
        "TRAINYARD_URL": replica.url,
        "TRAINYARD_TOKEN": token(user),
    }
    program = str(Path(sys.executable).with_name("trainyard"))
    return lambda *words: run([program, *map(str, words)], environment)


def test_one_model_from_the_request_to_its_end(
    client: Client, yard: Yard, model: str, user: str
) -> None:
    asked = client.models.retrain(model, full=True)
    assert (asked.model_type, asked.full_retrain, asked.requester) == (model, True, user)
    with pytest.raises(TooManyRequestsError) as caught:
        client.models.retrain(model)
    assert caught.value.retry_after is not None
    assert 5 < caught.value.retry_after <= 60
    yard.finish(model)
    done = client.retrains.wait(asked.id, timeout=30)
    assert (done.status, [one.model for one in done.runs]) == ("completed", [model])
    assert [one.id for one in client.retrains.list()] == [asked.id]


def test_as_a_process(trainyard: Run, yard: Yard, model: str) -> None:
    playing = threading.Thread(
        target=lambda: yard.finish(model, phase="Failed", reason="InvalidData", message="odd")
    )
    playing.start()
    done = trainyard("retrain", model, "--wait", "--timeout", "60")
    playing.join()
    assert done.code == 3, done.err
    assert "InvalidData: odd" in done.err
    assert done.out.splitlines()[-1].startswith(f"{model}  failed  ")
    again = trainyard("retrain", model)
    assert (again.code, "Try again in " in again.err) == (1, True)
    [listed] = trainyard("retrains", "-o", "json").json["items"]
    assert listed["status"] == "failed"
    refused = trainyard("retrains", "--all")
    assert (refused.code, "admin" in refused.err) == (1, True)


def test_every_model_that_is_marked(client: Client, yard: Yard) -> None:
    names = [yard.model(f"marked-{number}", marked=True) for number in range(2)]
    asked = client.retrains.start_all()
    assert (asked.model_type, [one.model for one in asked.runs]) == ("all", names)
    yard.finish(*names)
    assert client.retrains.wait(asked.id, timeout=30).status == "completed"


def test_what_is_not_there(client: Client, trainyard: Run) -> None:
    with pytest.raises(NotFoundError):
        client.models.retrain("no-such-model")
    with pytest.raises(NotFoundError):
        client.retrains.get(str(uuid.uuid4()))


def test_nothing_can_be_started(replica: Replica, kubernetes: ControlPlane, model: str) -> None:
    with (
        Client(replica.url, token(str(uuid.uuid4())), patience=0) as client,
        kubernetes.paused(),
        pytest.raises(UnavailableError),
    ):
        client.models.retrain(model)
