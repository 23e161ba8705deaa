"""What people ask by annotation is done once, or refused with the reason."""

from dataclasses import replace
from typing import Any

import pytest
from trainyard_controller.models import requests
from trainyard_controller.models.objects import Model
from trainyard_controller.models.requests import Found
from trainyard_controller.models.transition import has_room
from trainyard_schema import Candidate, ModelStatus, ModelType, VersionKey, names

from ....manifests import manifest_of
from .samples import V1, V2, V3, at, champion, model_document, uri_of

NOW = at("25T09:00")
CANDIDATE = Candidate.model_validate(
    {
        "modelType": "xgboost",
        "version": V3,
        "uri": uri_of(V3),
        "sha256": "ef" * 32,
        "run": "churn-9",
        "metric": "roc_auc=0.9000",
        "since": "2026-11-24T03:10:00Z",
        "reasons": ["spec.promotion.approval is manual"],
    }
)
METRIC = {"modelType": "xgboost", "name": "roc_auc", "value": "0.8123456", "split": "holdout"}
FILE = {"name": "model.ubj", "sizeBytes": 10, "sha256": "99" * 32}
STATUS = ModelStatus(
    champion=champion(V2, 2), previous=champion(), published=2, candidates=[CANDIDATE]
)


def asking(status: ModelStatus = STATUS, **annotations: str) -> Model:
    document = model_document(status=status.to_dict())
    keys = {f"{names.GROUP}/{name}": value for name, value in annotations.items()}
    document["metadata"]["annotations"] |= keys
    document["metadata"]["managedFields"] = [
        managed("kubectl-client-side-apply", "2026-11-20T10:00:00Z", *keys),
        managed("kubectl-annotate", "2026-11-25T08:59:00Z", *keys),
        managed("trainyard-controller", "2026-11-25T09:00:00Z"),
    ]
    return Model.from_document(document)


def managed(manager: str, time: str, *annotations: str) -> dict[str, Any]:
    fields: dict[str, Any] = {f"f:{name}": {} for name in annotations}
    return {
        "manager": manager,
        "operation": "Update",
        "time": time,
        "fieldsV1": {"f:metadata": {"f:annotations": fields}},
    }


def found(version: str, **more: Any) -> Found:
    key = VersionKey("churn", ModelType.XGBOOST, version)
    return Found(uri_of(version), manifest_of(key, **more))


def answered(one: Model, there: Found | None = None) -> tuple[ModelStatus, str]:
    """The status, and the Event; asked again with that status there is nothing to do."""
    assert requests.is_asked(one)
    decision = requests.answer(one, there, NOW)
    assert decision is not None
    ModelStatus.model_validate(decision.status.to_dict())
    after = replace(one, status=decision.status)
    assert not requests.is_asked(after)
    assert requests.answer(after, there, NOW) is None
    [event] = decision.announced
    return decision.status, event.reason


def test_a_rollback_swaps_champion_and_previous() -> None:
    status, event = answered(asking(rollback="1"))
    assert status.champion == champion(V1, 3, since=NOW)
    assert status.previous == champion(V2, 2)
    [entry] = status.history
    assert (entry.number, entry.action, entry.version) == (3, "RolledBack", V1)
    assert (entry.by, entry.why) == ("kubectl-annotate", "rollback requested: 1")
    assert (entry.from_, entry.to) == (STATUS.champion, status.champion)
    assert (event, status.last_handled_rollback) == ("RolledBack", "1")


def test_a_rollback_of_a_rollback_is_where_it_was() -> None:
    once, _ = answered(asking(rollback="1"))
    twice, _ = answered(asking(once, rollback="2"))
    assert twice.champion == champion(V2, 4, since=NOW)
    assert twice.previous == champion(V1, 3, since=NOW)
    assert [one.number for one in twice.history] == [3, 4]


def test_without_a_previous_champion_there_is_nothing_to_go_back_to() -> None:
    status, event = answered(asking(ModelStatus(champion=champion(), published=1), rollback="1"))
    assert status.champion == champion()
    assert status.message == "refused to roll back: there is no previous champion"
    assert (event, status.last_handled_rollback) == ("RequestRefused", "1")


def test_a_refusal_is_forgotten_when_the_next_request_is_done() -> None:
    refused, _ = answered(asking(reject=V1))
    assert refused.message is not None
    status, _ = answered(asking(refused, reject=V1, rollback="1"))
    assert status.message is None


def test_a_candidate_is_approved_with_its_verdict() -> None:
    status, event = answered(asking(promote=V3), found(V3))
    assert status.champion is not None
    assert (status.champion.version, status.champion.transition) == (V3, 3)
    assert (status.champion.run, status.champion.metric) == ("churn-9", "roc_auc=0.9000")
    assert status.previous == STATUS.champion
    assert status.candidates == []
    assert (event, status.history[-1].action) == ("Approved", "Approved")


def test_any_whole_version_can_be_chosen_and_what_is_known_is_its_manifests() -> None:
    old = "20260101T000000Z-00000001"
    known = {"trainingJob": "lab/churn-1", "metrics": [METRIC], "files": [FILE]}
    one = asking(promote=f"{old} the last good one")
    assert requests.wanted_version(one) == old
    status, event = answered(one, found(old, **known))
    assert status.champion is not None
    assert status.champion.to_dict() == {
        "modelType": "xgboost",
        "version": old,
        "uri": uri_of(old),
        "sha256": "99" * 32,
        "run": "churn-1",
        "metric": "roc_auc=0.8123",
        "since": "2026-11-25T09:00:00Z",
        "transition": 3,
    }
    assert (event, status.history[-1].action) == ("Chosen", "Chosen")
    assert status.candidates == [CANDIDATE]


@pytest.mark.parametrize(
    ("version", "there", "why"),
    [
        (V1, None, "there is no such version in models/churn/"),
        (V3, None, "there is no such version in models/churn/"),
        (V1, found(V1, partial=True), "it is partial: its run was cancelled"),
        (V2, found(V2), "it is the champion"),
        ("", None, "there is no such version in models/churn/"),
    ],
)
def test_what_cannot_be_promoted_is_refused(version: str, there: Found | None, why: str) -> None:
    status, event = answered(asking(promote=version or " "), there)
    assert status.message == f"refused to promote {version}: {why}"
    assert (status.champion, status.history) == (STATUS.champion, [])
    assert event == "RequestRefused"


def test_what_is_no_version_is_not_looked_for() -> None:
    for value in ("../../other/xgboost", "latest", " "):
        assert requests.wanted_version(asking(promote=value)) is None


def test_a_rejected_candidate_is_none_and_the_history_tells_of_it() -> None:
    status, event = answered(asking(reject=V3))
    assert status.candidates == []
    assert status.champion == STATUS.champion
    assert status.previous == STATUS.previous
    [entry] = status.history
    assert (entry.number, entry.action, entry.version) == (3, "Rejected", V3)
    assert entry.from_ == entry.to == STATUS.champion
    assert event == "Rejected"


def test_only_a_candidate_can_be_rejected() -> None:
    status, event = answered(asking(reject=V2))
    assert status.message == f"refused to reject {V2}: it does not await approval"
    assert event == "RequestRefused"


def test_several_requests_are_answered_one_after_the_other() -> None:
    one = asking(rollback="1", promote=V3, reject=V3)
    assert requests.wanted_version(one) is None
    actions = []
    while requests.is_asked(one):
        decision = requests.answer(one, found(V3), NOW)
        assert decision is not None
        actions.append(decision.announced[0].reason)
        one = replace(one, status=decision.status)
    assert actions == ["RolledBack", "Approved", "RequestRefused"]


def test_who_asked_is_told_where_the_api_server_does_not_know() -> None:
    document = model_document(status=STATUS.to_dict())
    document["metadata"]["annotations"][names.ROLLBACK_ANNOTATION] = "1"
    one = Model.from_document(document)
    assert one.rollback is not None
    assert one.rollback.by == "unknown"
    document["metadata"]["annotations"][names.REQUESTER_ANNOTATION] = "ada"
    one = Model.from_document(document)
    assert one.rollback is not None
    assert one.rollback.by == "ada"


def test_no_request_is_none() -> None:
    one = asking()
    assert not requests.is_asked(one)
    assert requests.answer(one, None, NOW) is None


def test_the_history_is_not_lost_while_nothing_can_be_published() -> None:
    status = STATUS
    for number in range(10):
        assert has_room(status)
        status, _ = answered(asking(status, rollback=str(number)))
    assert not has_room(status)
    assert [one.number for one in status.history] == list(range(3, 13))
    assert has_room(status.model_copy(update={"published": 3}))
