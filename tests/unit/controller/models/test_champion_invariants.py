"""Whatever runs end and whoever asks for what, in any order: what always holds of a champion."""

from dataclasses import replace
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from trainyard_controller.models import requests
from trainyard_controller.models.judgement import judge
from trainyard_controller.models.objects import Request
from trainyard_controller.models.transition import Decision, has_room
from trainyard_schema import Action, ModelStatus, Outcome

from .samples import V1, V2, V3, V4, at, model, run, spec_of, uri_of
from .test_requests import found

NOW = at("24T04:00")
VERSIONS = st.sampled_from([V1, V2, V3, V4])
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("run"), VERSIONS, st.booleans(), st.booleans(), st.booleans()),
        st.tuples(st.just("rollback")),
        st.tuples(st.just("promote"), VERSIONS),
        st.tuples(st.just("reject"), VERSIONS),
        st.tuples(st.just("publish")),
    ),
    max_size=30,
)


def ended(status: ModelStatus, version: str, *, passed: bool, stale: bool) -> dict[str, Any]:
    champion = status.champion.uri if status.champion else None
    compared = uri_of("20260101T000000Z-00000000") if stale else champion
    verdict = {"modelType": "xgboost", "version": version, "passed": passed, "champion": compared}
    filed = {
        "modelType": "xgboost",
        "version": version,
        "uri": uri_of(version),
        "sha256": "ab" * 32,
        "sizeBytes": 1,
        "current": False,
        "durationSeconds": 1.0,
    }
    verdict = {key: value for key, value in verdict.items() if value is not None}
    return {"models": [filed], "verdicts": [verdict]}


def decide(number: int, status: ModelStatus, step: tuple[Any, ...]) -> Decision | None:
    if step[0] == "run":
        _, version, passed, stale, manual = step
        spec = spec_of(model(promotion={"approval": "manual" if manual else "automatic"}))
        filed = ended(status, version, passed=passed, stale=stale)
        training_job = run(f"churn-{number}", "2026-11-24T03:00:00Z", "Succeeded", status=filed)
        return judge(status, spec, training_job, NOW)
    one = replace(model(), status=status)
    value = step[1] if len(step) > 1 else ""
    asked: dict[str, Any] = {step[0]: Request(value=f"{value} {number}".strip(), by="me")}
    return requests.answer(
        replace(one, **asked), found(value) if step[0] == "promote" else None, NOW
    )


@settings(max_examples=300, deadline=None)
@given(STEPS)
def test_what_always_holds(steps: list[tuple[Any, ...]]) -> None:
    status = ModelStatus(published=0)
    for number, step in enumerate(steps):
        last = status.history[-1].number if status.history else 0
        if step[0] == "publish":
            status = status.model_copy(update={"published": last})
            continue
        if not has_room(status):
            continue
        decision = decide(number, status, step)
        assert decision is not None
        before, status = status, decision.status
        ModelStatus.model_validate(status.to_dict())

        # The champion is what the history says, and moves only with an entry of it.
        moved = status.champion != before.champion
        entries = [one for one in status.history if one.number > last]
        assert [one.number for one in entries] in ([], [last + 1])
        if entries:
            assert entries[0].from_ == before.champion
            assert entries[0].to == status.champion
            assert moved is (entries[0].action is not Action.REJECTED)
        else:
            assert not moved
        if moved:
            assert status.champion is not None
            assert status.champion.transition == last + 1
            assert status.previous == before.champion
        else:
            assert status.previous == before.previous
        # Nothing that the store does not know is forgotten.
        assert {one.number for one in before.history if one.number > (before.published or 0)} <= {
            one.number for one in status.history
        }
        # By itself only a version becomes champion that passed against the champion of that time.
        if step[0] == "run" and moved:
            _, version, passed, stale, manual = step
            assert passed
            assert not stale
            assert not manual
            assert status.last_verdict is not None
            assert (status.last_verdict.version, status.last_verdict.outcome) == (
                version, Outcome.PROMOTED,
            )  # fmt: skip
        if step[0] == "run":
            assert status.judged == [*before.judged, f"churn-{number}"]
        champion = status.champion.version if status.champion and moved else None
        assert champion not in [one.version for one in status.candidates]
