"""Models against a real API server: what is kept, refused, told, and what it costs."""

import pytest
from trainyard_schema import Phase, Reason, RunResult, names

from .conftest import DEAF
from .models import DATA, ModelLab

pytestmark = [pytest.mark.component, pytest.mark.timeout(180)]


def test_history_is_kept_within_its_limits(models: ModelLab) -> None:
    models.start()
    name = models.create(historyLimits={"succeeded": 1, "failed": 0})
    kept = ""
    for request in ("1", "2"):
        models.retrain(name, request)
        models.until("it is answered", lambda: models.status(name).last_handled_retrain == request)  # noqa: B023
        kept = models.status(name).active[0]
        models.succeed(name, kept)
        models.until("one is kept", lambda: len(models.runs(name)) == 1)
    models.retrain(name, "3")
    models.until("it is answered", lambda: models.status(name).last_handled_retrain == "3")
    failed = models.status(name).active[0]
    bad = RunResult(reason=Reason.DATA_NOT_FOUND, message="s3://trainyard/churn.csv: no such key")
    models.lab.end_pod(models.lab.run_pod(failed), 66, bad.to_json())
    models.until("it is gone", lambda: len(models.runs(name)) == 1)
    assert models.run(name) == kept
    status = models.status(name)
    assert status.last_run is not None
    assert (status.last_run.name, status.last_run.phase) == (failed, Phase.FAILED)
    assert status.last_run.reason is Reason.DATA_NOT_FOUND
    assert status.last_successful_run is not None
    assert status.last_successful_run.name == kept
    models.until("its failure is told", lambda: "RunFailed" in models.events(name))


def test_with_the_model_go_its_runs_and_nothing_holds_them(models: ModelLab) -> None:
    models.start()
    name = models.create()
    models.retrain(name, "1")
    run = models.run(name)
    models.recorded(name, run, "Starting")
    models.lab.stop()
    job = models.lab.job_path(run)
    for document in (models.get(name), models.lab.training_job(run)):
        assert "finalizers" not in document["metadata"]
    models.lab.rest.delete(f"{models.path}/{name}")
    gone = f"{models.lab.training_jobs}/{run}"
    # The garbage collector looks for new kinds, such as ours, every 30 s.
    models.until("its run is gone", lambda: models.lab.rest.get(gone) is None, timeout=90)
    models.until("the Job is gone", lambda: models.lab.rest.get(job) is None)


def test_a_run_that_is_deleted_is_not_started_again(models: ModelLab) -> None:
    models.start()
    name = models.create(schedule=models.daily)
    models.let_time_come(name)
    run = models.run(name)
    models.recorded(name, run, "Starting")
    models.lab.rest.delete(f"{models.lab.training_jobs}/{run}")
    status = models.recorded(name, run, "Cancelled")
    assert status.active == []
    models.lab.stop()
    models.start()
    models.seen(models.create())
    assert models.runs(name) == []


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ({"schedule": "0 3 * *"}, "spec.schedule"),
        ({"schedule": "61 3 * * *"}, "spec.schedule"),
        ({"schedule": "@daily"}, "spec.schedule"),
        ({"timeZone": "Nowhere/Land"}, "spec.timeZone"),
        ({"timeZone": "Local"}, "spec.timeZone"),
        ({"timeZone": "+02:00"}, "spec.timeZone"),
        ({"cooldown": "30"}, "spec.cooldown"),
        ({"concurrencyPolicy": "Allow"}, "spec.concurrencyPolicy"),
        (
            {"template": {"spec": {"modelType": "svm", "data": DATA}}},
            "spec.template.spec.modelType",
        ),
        (
            {
                "template": {
                    "spec": {"modelType": "xgboost", "data": {**DATA, "exclude": ["churned"]}}
                }
            },
            "exclude must not contain the target",
        ),
        (
            {"template": {"spec": {"modelType": "xgboost", "data": DATA, "cancel": True}}},
            'unknown field "spec.template.spec.cancel"',
        ),
        ({"champion": "x"}, 'unknown field "spec.champion"'),
    ],
)
def test_what_cannot_be_meant_is_refused_at_admission(
    models: ModelLab, spec: dict[str, object], words: str
) -> None:
    with pytest.raises(AssertionError, match=r"Invalid|unknown field|Unsupported") as refused:
        models.create(**spec)  # type: ignore[arg-type]
    assert words in str(refused.value).replace("\\", "")


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ({"schedule": "0 3 * * FOO"}, "spec.schedule: Bad day-of-week"),
        ({"schedule": "0 3 30 2 *"}, "spec.schedule: Bad day-of-month"),
        (
            {
                "template": {
                    "spec": {
                        "modelType": "xgboost",
                        "data": DATA,
                        "hyperparameters": {"max_dept": 3},
                    }
                }
            },
            "spec.template.spec.hyperparameters.max_dept",
        ),
    ],
)
def test_what_only_the_operator_can_tell_is_a_condition_and_mends(
    models: ModelLab, spec: dict[str, object], message: str
) -> None:
    models.start()
    name = models.create(**spec)  # type: ignore[arg-type]
    models.retrain(name, "1")
    models.seen(name)
    status, reason, words = models.ready(name)
    assert (status, reason) == ("False", "InvalidSpec")
    assert message in words
    models.until("it is told", lambda: models.events(name) == ["InvalidSpec"])
    models.patch(
        name,
        schedule=models.daily,
        template={"spec": {"hyperparameters": {"max_dept": None, "max_depth": 3}}},
    )
    models.run(name)
    models.seen(name)
    assert models.ready(name)[:2] == ("True", "Scheduled")


def test_a_run_that_the_api_server_refuses_waits_and_says_so(models: ModelLab) -> None:
    models.start()
    metadata = {"annotations": {"no such key!": ""}}
    training = {"modelType": "xgboost", "data": DATA}
    name = models.create(schedule=models.daily, template={"metadata": metadata, "spec": training})
    time = models.let_time_come(name)
    models.until("it is refused", lambda: models.ready(name)[1] == "RunRefused")
    assert "metadata.annotations: Invalid value" in models.ready(name)[2]
    assert models.status(name).next_schedule_time == time
    attempts = models.lab.writes["create trainingjobs"]
    models.until("it tries again", lambda: models.lab.writes["create trainingjobs"] > attempts)
    assert models.lab.writes["update models/status"] == 2
    models.patch(name, template={"metadata": {"annotations": None}})
    assert models.run(name) == names.scheduled_run_name(name, time)
    models.until("it is ready", lambda: models.ready(name)[:2] == ("True", "Scheduled"))


def test_idle_models_cost_no_writes(models: ModelLab) -> None:
    models.start(TRAINYARD_RESYNC_SECONDS="0.5")
    idle = [models.create(schedule=models.daily) for _ in range(5)]
    for name in idle:
        models.seen(name)
    assert models.lab.writes == {"update models/status": 5}
    done = models.lab.reconciliations
    # As many looks as in an hour, at five a second for each Model.
    models.until("an hour of looks", lambda: models.lab.reconciliations > done + 5 * 60)
    assert models.lab.writes == {"update models/status": 5}
    models.lab.stop()
    models.start()
    models.seen(models.create())
    models.until("all are seen", lambda: models.lab.reconciliations > 20)
    assert models.lab.writes == {"update models/status": 1}


def test_with_dead_watches_runs_start_and_their_end_is_seen(models: ModelLab) -> None:
    models.start(DEAF, TRAINYARD_RESYNC_SECONDS="0.5")
    name = models.create()
    models.retrain(name, "1")
    run = models.run(name)
    models.succeed(name, run)
