"""Models against a real API server: what is due, what is asked for, what is left out."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from trainyard_schema import names

from ...forking.forks import Fork
from .models import DATA, ModelLab, killed
from .results import succeed

pytestmark = [pytest.mark.component, pytest.mark.timeout(180)]

DAY = timedelta(days=1)
Ask = Callable[[ModelLab, str], object]


def by_schedule(models: ModelLab, name: str) -> None:
    models.let_time_come(name)


def by_request(models: ModelLab, name: str) -> None:
    models.retrain(name, "now")


def dies(process: Fork) -> None:
    assert process.wait(timeout=30) == 9


def test_a_time_that_comes_is_a_run(models: ModelLab) -> None:
    models.start()
    metadata = {"labels": {"team": "growth"}, "annotations": {"note": "nightly"}}
    training = {"modelType": "xgboost", "data": DATA, "seed": 7}
    template = {"metadata": metadata, "spec": training}
    name = models.create(schedule=models.daily, template=template)
    time = models.let_time_come(name)
    run = models.run(name)
    assert run == names.scheduled_run_name(name, time)
    training_job = models.lab.training_job(run)
    assert training_job["spec"]["model"] == name
    assert training_job["spec"]["seed"] == 7
    assert training_job["metadata"]["labels"]["team"] == "growth"
    assert training_job["metadata"]["annotations"]["note"] == "nightly"
    status = models.succeed(name, run)
    assert (status.last_schedule_time, status.next_schedule_time) == (time, time + DAY)
    assert status.active == []
    assert status.last_successful_run is not None
    assert status.last_successful_run.primary_metric == "roc_auc=0.8400"
    assert status.last_successful_run.models[0].version == "20261123T090000Z-0badcafe"
    assert models.ready(name)[:2] == ("True", "Scheduled")
    models.until("its start is told", lambda: models.events(name) == ["RunStarted"])
    # The first promise, the start, three changes of the run's phase, and what became of it.
    assert models.lab.writes["update models/status"] <= 6
    assert models.lab.writes["create trainingjobs"] == 1


def test_a_request_of_the_api_is_a_run_in_its_mode(models: ModelLab) -> None:
    models.start()
    training = {"modelType": "xgboost", "data": DATA, "skipIfUnchanged": True}
    name = models.create(schedule=models.daily, template={"spec": training})
    runs: list[str] = []
    uid = models.get(name)["metadata"]["uid"]
    for mode, skips in (("incremental", True), ("full", False)):
        value = f"retrain-{mode}"
        models.request(name, value, mode=mode, requester="ada lovelace")
        run = models.run(name, *runs)
        assert run == names.requested_run_name(name, uid, value)
        training_job = models.lab.training_job(run)
        assert training_job["spec"]["mode"] == mode
        assert training_job["spec"]["skipIfUnchanged"] is skips
        assert training_job["metadata"]["annotations"][names.RETRAIN_ANNOTATION] == value
        requester = training_job["metadata"]["annotations"][names.REQUESTER_ANNOTATION]
        assert requester == "ada lovelace"
        models.succeed(name, run)
        runs.append(run)
    # What the API wrote stays there, and is not about the schedule, nor about another request.
    for ask in (models.let_time_come, lambda name: models.retrain(name, "by hand")):
        ask(name)
        run = models.run(name, *runs)
        training_job = models.lab.training_job(run)
        assert training_job["spec"]["mode"] == "full"
        assert training_job["spec"]["skipIfUnchanged"] is True
        requester = training_job["metadata"]["annotations"][names.REQUESTER_ANNOTATION]
        assert requester == f"Model/{name}"
        models.succeed(name, run)
        runs.append(run)


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("ask", [by_schedule, by_request])
def test_killed_in_between_there_is_one_run(models: ModelLab, when: str, ask: Ask) -> None:
    process = models.start(killed(when, "create_run"))
    name = models.create(schedule=models.daily)
    models.seen(name)
    ask(models, name)
    dies(process)
    models.start()
    run = models.run(name)
    models.succeed(name, run)
    before = models.get(name)
    models.lab.stop()
    models.start()
    # Handled after the listing, so a second run would be there by now.
    models.seen(models.create())
    assert models.run(name) == run
    assert models.get(name) == before


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("request_", ["cancel_run", "replace_status", "delete_run"])
def test_killed_while_one_run_replaces_another(models: ModelLab, when: str, request_: str) -> None:
    models.start()
    name = models.create(concurrencyPolicy="Replace", historyLimits={"failed": 0})
    models.retrain(name, "1")
    run = models.run(name)
    models.recorded(name, run, "Starting")
    models.lab.stop()
    process = models.start(killed(when, request_))
    models.retrain(name, "2")
    dies(process)
    models.start()
    second = names.requested_run_name(name, models.get(name)["metadata"]["uid"], "2")
    status = models.recorded(name, second, "Starting")
    assert (status.active, status.last_handled_retrain) == ([second], "2")
    models.until("the first is cleared away", lambda: models.runs(name) == [second])


def test_two_operators_at_once_start_one_run(models: ModelLab) -> None:
    for _ in range(2):
        models.start()
    name = models.create(schedule=models.daily)
    models.let_time_come(name)
    run = models.run(name)
    models.succeed(name, run)
    models.retrain(name, "1")
    second = models.run(name, run)
    succeed(models.lab, second)
    models.recorded(name, second, "Succeeded")
    assert sorted(models.runs(name)) == sorted([run, second])


def test_after_days_of_absence_only_the_latest_missed_time_counts(models: ModelLab) -> None:
    models.start()
    name = models.create(schedule=models.daily)
    first = models.seen(name).next_schedule_time
    assert first is not None
    models.lab.stop()
    models.let_time_come(name)
    models.pass_time(days=3)
    models.start()
    assert models.run(name) == names.scheduled_run_name(name, first + 3 * DAY)
    models.until("the next is known", lambda: models.status(name).last_schedule_time)
    assert models.status(name).next_schedule_time == first + 4 * DAY


def test_a_time_missed_by_more_than_the_deadline_is_skipped(models: ModelLab) -> None:
    models.start()
    name = models.create(schedule=models.daily, startingDeadlineSeconds=3600)
    models.seen(name)
    models.lab.stop()
    time = models.let_time_come(name)
    models.pass_time(hours=2)
    models.start()
    models.until("it is said", lambda: models.message(name).startswith("skipped the run of"))
    assert models.message(name).endswith("more than 3600 s have passed since")
    assert models.runs(name) == []
    assert models.status(name).last_schedule_time == time
    models.until("it is told", lambda: models.events(name) == ["RunSkipped"])


def test_a_request_is_answered_once(models: ModelLab) -> None:
    models.start()
    name = models.create()
    models.retrain(name, "1")
    run = models.run(name)
    models.succeed(name, run)
    status = models.status(name)
    assert (status.last_handled_retrain, status.next_schedule_time) == ("1", None)
    assert models.ready(name)[:2] == ("True", "OnRequest")
    models.retrain(name, "1")
    models.patch(name, startingDeadlineSeconds=60)
    models.seen(name)
    models.retrain(name, "2")
    annotations = models.lab.training_job(models.run(name, run))["metadata"]["annotations"]
    assert annotations[names.RETRAIN_ANNOTATION] == "2"


def test_forbid_skips_a_time_and_lets_a_request_wait(models: ModelLab) -> None:
    models.start()
    name = models.create(schedule=models.daily)
    models.retrain(name, "1")
    run = models.run(name)
    models.recorded(name, run, "Starting")
    time = models.let_time_come(name)
    skipped = f"skipped the run of {time:%Y-%m-%dT%H:%M:%SZ}: {run} is active"
    models.until("the time is skipped", lambda: models.message(name) == skipped)
    models.retrain(name, "2")
    waiting = f"waiting to retrain: {run} is active"
    models.until("the request waits", lambda: models.message(name) == waiting)
    assert models.run(name) == run
    succeed(models.lab, run)
    second = models.run(name, run)
    models.until("it is answered", lambda: models.status(name).last_handled_retrain == "2")
    assert models.status(name).active == [second]
    assert models.message(name) == ""
    told = ["RunSkipped", "RunStarted", "RunStarted"]
    models.until("all is told", lambda: models.events(name) == told)


@pytest.mark.parametrize("ask", [by_schedule, by_request])
def test_replace_cancels_the_active_run_first(models: ModelLab, ask: Ask) -> None:
    models.start()
    name = models.create(schedule=models.daily, concurrencyPolicy="Replace")
    models.retrain(name, "1")
    run = models.run(name)
    models.recorded(name, run, "Starting")
    ask(models, name)
    models.lab.until(run, "Cancelled")
    second = models.run(name, run)
    models.recorded(name, second, "Starting")
    assert models.status(name).active == [second]
    assert models.lab.training_job(second)["spec"]["cancel"] is False


def test_cooldown_skips_a_time_and_lets_a_request_wait(models: ModelLab) -> None:
    models.start()
    name = models.create(schedule=models.daily, cooldown="36h")
    models.retrain(name, "1")
    run = models.run(name)
    models.succeed(name, run)
    models.let_time_come(name)
    models.until("the time is skipped", lambda: ": cooldown until" in models.message(name))
    models.retrain(name, "2")
    models.until("the request waits", lambda: models.message(name).startswith("waiting"))
    assert models.run(name) == run
    # Beyond the cooldown, and at the second time of the schedule: one run answers both.
    models.pass_time(hours=26)
    second = models.run(name, run)
    assert second == names.requested_run_name(name, models.get(name)["metadata"]["uid"], "2")
    models.succeed(name, second)
    assert models.message(name) == ""


def test_suspended_nothing_starts_and_what_has_passed_is_not_caught_up(models: ModelLab) -> None:
    models.start()
    name = models.create(schedule=models.daily)
    first = models.seen(name).next_schedule_time
    assert first is not None
    models.patch(name, suspend=True)
    assert models.seen(name).next_schedule_time is None
    models.retrain(name, "1")
    models.until("the request waits", lambda: "spec.suspend" in models.message(name))
    models.pass_time(days=2)
    models.patch(name, suspend=False)
    run = models.run(name)
    models.recorded(name, run, "Starting")
    assert models.lab.training_job(run)["metadata"]["annotations"][names.RETRAIN_ANNOTATION] == "1"
    assert models.status(name).next_schedule_time == first + 2 * DAY
    conditions = {str(one.type): one.status for one in models.status(name).conditions}
    assert (conditions["Ready"], conditions["Suspended"]) == ("True", "False")


def test_a_new_schedule_does_not_bring_back_the_past(models: ModelLab) -> None:
    models.start()
    name = models.create(schedule=models.daily)
    time = models.let_time_come(name)
    models.succeed(name, models.run(name))
    earlier = time - timedelta(hours=6)
    models.patch(name, schedule=f"{earlier.minute} {earlier.hour} * * *", timeZone="Etc/UTC")
    models.until(
        "it is promised anew",
        lambda: models.status(name).next_schedule_time == earlier + DAY,
    )
    assert len(models.runs(name)) == 1
