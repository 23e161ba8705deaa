from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from trainyard_controller.models.objects import RetrainRequest
from trainyard_controller.models.plan import Plan, Start, decide
from trainyard_controller.models.schedule import Schedule
from trainyard_controller.models.status import model_status
from trainyard_controller.objects import TrainingJob
from trainyard_schema import names

from .samples import UID, at, model, run, spec_of

NIGHTLY = "0 3 * * *"
PROMISED = {"nextScheduleTime": "2026-11-23T03:00:00Z"}
DUE = at("23T03:00")
NEXT = at("24T03:00")
REQUESTED = names.requested_run_name("churn", UID, "now")


def plan(
    now: datetime = DUE,
    runs: tuple[TrainingJob, ...] = (),
    *,
    schedule: str | None = NIGHTLY,
    **more: Any,
) -> Plan:
    more.setdefault("status", PROMISED if schedule else {})
    one = model(**more, **({"schedule": schedule} if schedule else {}))
    spec = spec_of(one)
    parsed = Schedule.parse(schedule, spec.time_zone) if schedule else None
    return decide(one, spec, parsed, runs, now)


def scheduled(time: datetime) -> Start:
    name = names.scheduled_run_name("churn", time)
    return Start(name=name, request=None, scheduled_time=time)


def test_names_follow_from_what_a_run_answers() -> None:
    assert names.scheduled_run_name("churn", DUE) == "churn-29923380"
    assert names.requested_run_name("churn", UID, "later") != REQUESTED
    assert names.requested_run_name("churn", "another-uid", "now") != REQUESTED


def test_models_whose_names_look_alike_have_runs_of_different_names() -> None:
    alike = ["a" * 62 + "1", "a" * 62 + "2", "a.b", "a-b"]
    for found in (
        {names.scheduled_run_name(one, DUE) for one in alike},
        {names.requested_run_name(one, UID, "now") for one in alike},
    ):
        assert len(found) == len(alike)
        assert all(names.slug(name, 63) == name for name in found)


def test_before_its_time_it_waits() -> None:
    assert plan(at("23T02:59")) == Plan(next_schedule_time=DUE, look_again=DUE)


def test_at_its_time_it_starts_and_promises_the_next() -> None:
    assert plan() == Plan(
        start=scheduled(DUE), last_schedule_time=DUE, next_schedule_time=NEXT, look_again=NEXT
    )


def test_of_several_missed_times_the_latest_counts() -> None:
    assert plan(at("26T11:00")).start == scheduled(at("26T03:00"))


def test_a_new_model_catches_up_from_its_creation() -> None:
    assert plan(at("20T13:00"), status=None).start is None
    assert plan(at("23T11:00"), status=None).start == scheduled(DUE)


@pytest.mark.parametrize(("seconds", "starts"), [(None, True), (3600, True), (3599, False)])
def test_a_missed_time_has_a_deadline(seconds: int | None, starts: bool) -> None:
    made = plan(at("23T04:00"), startingDeadlineSeconds=seconds)
    assert bool(made.start) is starts
    assert bool(made.skipped) is not starts
    assert made.last_schedule_time == DUE
    assert made.next_schedule_time == NEXT


def test_a_promise_of_another_schedule_is_not_kept() -> None:
    made = plan(at("23T09:00"), schedule="0 12 * * *")
    assert made == Plan(next_schedule_time=at("23T12:00"), look_again=at("23T12:00"))


def test_a_promise_of_another_time_zone_is_not_kept() -> None:
    made = plan(at("23T05:00"), timeZone="America/Sao_Paulo")
    assert made == Plan(next_schedule_time=at("23T06:00"), look_again=at("23T06:00"))


def test_suspended_it_promises_nothing_and_a_request_waits() -> None:
    assert plan(suspend=True) == Plan()
    made = plan(suspend=True, retrain="now")
    assert made == Plan(message="waiting to retrain: spec.suspend is true")
    resumed = plan(status={"message": made.message})
    assert resumed == Plan(next_schedule_time=NEXT, look_again=NEXT)


def test_a_request_is_a_run() -> None:
    start = Start(name=REQUESTED, request=RetrainRequest(value="now"), scheduled_time=None)
    assert plan(schedule=None, retrain="now") == Plan(start=start, last_handled_retrain="now")


def test_a_request_that_was_handled_is_none() -> None:
    status = {"lastHandledRetrain": "now"}
    assert plan(schedule=None, retrain="now", status=status) == Plan(last_handled_retrain="now")


def test_a_request_may_say_how_to_train_and_who_asks() -> None:
    made = plan(schedule=None, retrain="now", mode="incremental", requester="ada lovelace now")
    assert made.start is not None
    assert made.start.request == RetrainRequest(value="now", mode="incremental", by="ada lovelace")


def test_what_goes_with_another_request_is_left_alone() -> None:
    made = plan(schedule=None, retrain="now", mode="full before", requester="ada before")
    assert made.start is not None
    assert made.start.request == RetrainRequest(value="now")


def test_a_mode_that_is_none_is_told_and_does_not_hold_up_the_schedule() -> None:
    made = plan(schedule=None, retrain="now", mode="ful now")
    assert made.start is None
    assert made.last_handled_retrain is None
    assert made.message is not None
    assert "retrain-mode is 'ful'; write full or incremental" in made.message
    scheduled_too = plan(retrain="now", mode="ful now")
    assert scheduled_too.start == scheduled(DUE)
    assert scheduled_too.last_handled_retrain is None
    assert scheduled_too.message == made.message


def test_one_run_answers_a_request_and_a_time_at_once() -> None:
    made = plan(retrain="now")
    assert made.start == Start(
        name=REQUESTED, request=RetrainRequest(value="now"), scheduled_time=DUE
    )
    assert (made.last_schedule_time, made.last_handled_retrain) == (DUE, "now")


@pytest.mark.parametrize("policy", ["Forbid", "Replace"])
@pytest.mark.parametrize(
    ("retrain", "name"), [("now", REQUESTED), (None, names.scheduled_run_name("churn", DUE))]
)
def test_a_run_that_is_there_but_not_recorded_is_not_started_again(
    policy: str, retrain: str | None, name: str
) -> None:
    # By the API server's clock it may even have been created a little before it was due.
    there = run(name, "2026-11-23T02:59:59Z" if retrain is None else "2026-11-23T03:00:01Z")
    made = plan(at("23T03:01"), (there,), retrain=retrain, concurrencyPolicy=policy)
    assert (made.start, made.cancel, made.skipped, made.message) == (None, (), None, None)
    assert (made.last_schedule_time, made.last_handled_retrain) == (DUE, retrain)


def test_forbid_skips_a_time_and_lets_a_request_wait() -> None:
    active = run("churn-1", "2026-11-23T02:00:00Z")
    made = plan(runs=(active,))
    assert made.skipped == "skipped the run of 2026-11-23T03:00:00Z: churn-1 is active"
    assert (made.message, made.last_schedule_time) == (made.skipped, DUE)
    made = plan(runs=(active,), retrain="now")
    assert made.skipped is not None
    assert made.message == "waiting to retrain: churn-1 is active"
    assert (made.start, made.last_handled_retrain) == (None, None)


def test_replace_cancels_waits_and_starts() -> None:
    options: dict[str, Any] = {"concurrencyPolicy": "Replace", "startingDeadlineSeconds": 60}
    active = run("churn-1", "2026-11-23T02:00:00Z")
    made = plan(runs=(active,), **options)
    assert (made.cancel, made.start, made.next_schedule_time) == (("churn-1",), None, DUE)
    cancelled = run("churn-1", "2026-11-23T02:00:00Z", "Cancelling", cancel=True)
    # However long it takes to stop: it was cancelled for this.
    made = plan(at("23T03:10"), (cancelled,), **options)
    assert (made.cancel, made.start, made.skipped) == ((), None, None)
    assert made.message == "waiting to retrain: churn-1 is being cancelled"
    assert (made.last_schedule_time, made.next_schedule_time) == (None, DUE)
    ended = run("churn-1", "2026-11-23T02:00:00Z", "Cancelled", cancel=True)
    assert plan(at("23T03:00"), (ended,), **options).start == scheduled(DUE)


def test_cooldown_skips_a_time_and_lets_a_request_wait_until_it_is_over() -> None:
    ended = run("churn-1", "2026-11-23T02:00:00Z", "Succeeded")
    made = plan(runs=(ended,), cooldown="1h30m")
    skipped = "skipped the run of 2026-11-23T03:00:00Z: cooldown until 2026-11-23T03:30:00Z"
    assert (made.skipped, made.start, made.last_schedule_time) == (skipped, None, DUE)
    made = plan(runs=(ended,), cooldown="1h30m", retrain="now", schedule=None)
    assert made.look_again == at("23T03:30")
    assert made.message == "waiting to retrain: cooldown until 2026-11-23T03:30:00Z"
    made = plan(at("23T03:30"), (ended,), cooldown="1h30m", retrain="now", schedule=None)
    assert made.start is not None


def test_cooldown_counts_runs_whose_training_jobs_are_gone() -> None:
    last = {"name": "churn-1", "phase": "Succeeded", "startTime": "2026-11-23T02:00:00Z"}
    status = {**PROMISED, "lastRun": last}
    assert plan(cooldown="1h30m", status=status).skipped is not None
    # A start that lies days ahead was told by a clock that was wrong.
    last["startTime"] = "2036-11-23T02:00:00Z"
    assert plan(cooldown="1h30m", status=status).start is not None


def test_why_a_time_was_skipped_stands_until_the_next_run() -> None:
    status = {**PROMISED, "message": "skipped the run of …"}
    assert plan(at("23T02:00"), status=status).message == "skipped the run of …"
    assert plan(status=status).message is None


def test_what_could_not_be_created_stays_due() -> None:
    one = model(schedule=NIGHTLY, status=PROMISED, retrain="now")
    spec = spec_of(one)
    made = decide(one, spec, Schedule.parse(NIGHTLY, "UTC"), (), DUE).held_up(one)
    assert (made.start, made.next_schedule_time) == (None, DUE)
    assert (made.last_schedule_time, made.last_handled_retrain) == (None, None)


def test_a_clock_that_is_set_back_does_not_bring_a_time_back() -> None:
    status = {
        "lastScheduleTime": "2026-11-23T03:00:00Z",
        "nextScheduleTime": "2026-11-24T03:00:00Z",
    }
    made = plan(at("23T02:55"), status=status)
    assert (made.start, made.next_schedule_time) == (None, NEXT)


def test_a_clock_that_was_years_ahead_does_not_stop_the_schedule() -> None:
    status = {
        "lastScheduleTime": "2036-11-23T03:00:00Z",
        "nextScheduleTime": "2036-11-24T03:00:00Z",
    }
    assert plan(at("23T02:00"), status=status).next_schedule_time == DUE


STEPS = st.lists(
    st.sampled_from(["minute", "hours", "days", "back", "request", "end", "crash", "suspend"]),
    max_size=40,
)


@settings(max_examples=200, deadline=None)
@given(STEPS, st.sampled_from(["Forbid", "Replace"]), st.sampled_from(["0s", "2h"]))
def test_whatever_happens_nothing_is_answered_twice_and_no_request_is_lost(
    steps: list[str], policy: str, cooldown: str
) -> None:
    world = World(policy, cooldown)
    for step in [*steps, "resume", "days", "end", "days", "end", "days"]:
        world.step(step)
        assert sum(not one.finished for one in world.runs.values()) <= 1
    assert len(world.answered) == len(set(world.answered))
    assert world.answered[-1:] == world.requests[-1:]


class World:
    """A Model, the API server's TrainingJobs, and an operator that may be killed."""

    def __init__(self, policy: str, cooldown: str) -> None:
        self.now = at("20T12:00")
        self.schedule = Schedule.parse("0 */6 * * *", "America/Sao_Paulo")
        self.model = model(
            schedule="0 */6 * * *",
            timeZone="America/Sao_Paulo",
            concurrencyPolicy=policy,
            cooldown=cooldown,
        )
        self.runs: dict[str, TrainingJob] = {}
        self.requests: list[str] = []
        self.answered: list[str] = []
        self.dies = False
        """Whether the operator is killed right after the next run is created."""
        self.settle()

    def step(self, step: str) -> None:
        passed = {"minute": 1, "hours": 150, "days": 3000, "back": -5}
        if step in passed:
            self.now += timedelta(minutes=passed[step])
        elif step == "request":
            self.requests.append(str(len(self.requests)))
            self.model = replace(self.model, retrain=RetrainRequest(value=self.requests[-1]))
        elif step == "end":
            for name, one in self.runs.items():
                if not one.finished:
                    self.end(name)
        elif step in ("suspend", "resume"):
            spec = {**self.model.spec, "suspend": step == "suspend"}
            self.model = replace(self.model, spec=spec, generation=self.model.generation + 1)
        elif step == "crash":
            self.dies = True
        self.settle()

    def end(self, name: str) -> None:
        created = self.runs[name].created.isoformat()
        self.runs[name] = run(name, created, "Succeeded")

    def settle(self) -> None:
        for _ in range(10):
            before = self.model, dict(self.runs)
            self.reconcile()
            if (self.model, self.runs) == before:
                return
        raise AssertionError("it never comes to rest")

    def reconcile(self) -> None:
        spec = spec_of(self.model)
        made = decide(self.model, spec, self.schedule, list(self.runs.values()), self.now)
        for name in made.cancel:
            self.end(name)
        if made.start:
            assert made.start.name not in self.runs
            self.runs[made.start.name] = run(made.start.name, self.now.isoformat())
            if made.start.request:
                self.answered.append(made.start.request.value)
            if self.dies:
                self.dies = False
                return
        status = model_status(self.model, list(self.runs.values()), made, self.now)
        self.model = replace(self.model, status=status)
