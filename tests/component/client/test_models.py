"""Models and decisions through the client and its command, with the operator's part played."""

from typing import Any

import pytest
from trainyard_client import Client, ConflictError, ForbiddenError, NotFoundError
from trainyard_schema import names

from ..control_plane import Rest
from .conftest import MODELS, Run, token

pytestmark = pytest.mark.component
OLD, NEW, WAITING = (f"2026112{day}T100000Z-0a1b2c3d" for day in (0, 1, 2))


def version(name: str, **fields: Any) -> dict[str, Any]:
    return {
        "modelType": "xgboost",
        "version": name,
        "uri": f"s3://trainyard/models/churn/xgboost/{name}/",
        "sha256": "00",
        "run": "churn-1",
        "metric": "roc_auc=0.84",
        "since": "2026-11-21T10:00:00Z",
        **fields,
    }


STATUS: dict[str, Any] = {
    "champion": version(NEW, transition=2),
    "previous": version(OLD, transition=1),
    "candidates": [version(WAITING, reasons=["approval is manual"])],
}


@pytest.fixture
def model(rest: Rest, request: pytest.FixtureRequest) -> str:
    """A Model with a champion, a previous one and a candidate."""
    name: str = request.node.name.replace("_", "-").lower()[:50].strip("-")
    training = {
        "modelType": "xgboost",
        "data": {"uri": "s3://trainyard/datasets/churn.csv", "target": "churned"},
    }
    rest.post(
        MODELS,
        {
            "apiVersion": names.API_VERSION,
            "kind": names.MODEL_KIND,
            "metadata": {"name": name},
            "spec": {"schedule": "0 3 * * *", "template": {"spec": training}},
        },
    )
    rest.patch(f"{MODELS}/{name}/status", {"status": STATUS})
    return name


def asked(rest: Rest, model: str, annotation: str) -> str:
    found = rest.get(f"{MODELS}/{model}")
    assert found is not None
    value: str = found["metadata"]["annotations"][annotation]
    return value


def test_shown(client: Client, trainyard: Run, model: str) -> None:
    found = client.models.get(model)
    assert found.champion is not None
    assert found.previous is not None
    assert (found.champion.version, found.previous.version) == (NEW, OLD)
    assert [one.version for one in found.candidates] == [WAITING]
    assert model in [one.name for one in client.models.list()]
    told = trainyard("models", "show", model).out
    assert f"Champion: {NEW} (xgboost)\n" in told
    assert WAITING in told
    assert model in trainyard("models", "list", "-o", "name").out.split()
    with pytest.raises(NotFoundError):
        client.models.get("no-such-model")


def test_approved(client: Client, rest: Rest, model: str) -> None:
    accepted = client.models.approve(model, WAITING)
    value = asked(rest, model, names.PROMOTE_ANNOTATION)
    assert value.split()[:2] == [WAITING, accepted.id]
    assert asked(rest, model, names.REQUESTER_ANNOTATION) == "ada"
    assert [one.answered for one in client.models.get(model).requests] == [False]
    status = {"champion": version(WAITING, transition=3), "lastHandledPromote": value}
    rest.patch(f"{MODELS}/{model}/status", {"status": status})
    answered = client.models.answer(accepted, timeout=30)
    assert answered.champion is not None
    assert (answered.champion.version, answered.refusal) == (WAITING, None)


def test_refused_by_the_operator(client: Client, rest: Rest, model: str) -> None:
    accepted = client.models.reject(model, WAITING)
    value = asked(rest, model, names.REJECT_ANNOTATION)
    message = f"refused to reject {WAITING}: it does not await approval"
    status = {"lastHandledReject": value, "message": message}
    rest.patch(f"{MODELS}/{model}/status", {"status": status})
    assert client.models.answer(accepted, timeout=30).refusal == message


def test_rolled_back_as_a_process(trainyard: Run, rest: Rest, model: str) -> None:
    done = trainyard("rollback", model, "--reason", "odd predictions")
    assert (done.code, "Next:" in done.err) == (0, True)
    assert asked(rest, model, names.ROLLBACK_ANNOTATION).endswith(" odd predictions")
    done = trainyard("rollback", model, "--wait", "--timeout", "1")
    assert done.code == 1
    assert "has not answered" in done.err


def test_what_makes_no_sense(client: Client, trainyard: Run, model: str, url: str) -> None:
    with pytest.raises(ConflictError, match="does not await approval"):
        client.models.approve(model, OLD)
    done = trainyard("promote", model, OLD)
    assert (done.code, "in the object store" in done.err) == (1, True)
    with Client(url, token("trainer")) as trainer, pytest.raises(ForbiddenError):
        trainer.models.rollback(model)
