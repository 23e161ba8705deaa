"""What the chart allows the operator, beside what the operator does in its life.

The API server notes each request and what came of it. A permission that is never used is one too
many; a request that is refused is one that is missing.
"""

import itertools
import signal

import pytest
from trainyard_schema import Reason, RunResult

from ..control_plane import ControlPlane, wait_for
from .audit import Audit, Permission
from .conftest import Lab
from .models import ModelLab
from .rbac import LEASE, granted
from .results import succeed

pytestmark = [pytest.mark.component, pytest.mark.timeout(300)]


def permissions() -> set[Permission]:
    return {
        permission
        for rule in granted()
        for permission in itertools.product(rule["apiGroups"], rule["resources"], rule["verbs"])
    }


def live_through_runs(lab: Lab) -> None:
    """Success and clean-up, failure, cancel, suspension, deletion, and a namespace that is full."""
    name = lab.submit(ttlSecondsAfterFinished=1)
    succeed(lab, name)
    wait_for("its Job is gone", lambda: lab.rest.get(lab.job_path(name)) is None)
    failed = lab.submit()
    bad = RunResult(reason=Reason.DATA_NOT_FOUND, message="s3://trainyard/x.csv: no such key")
    lab.end_pod(lab.run_pod(failed), 66, bad.to_json())
    lab.until(failed, "Failed")
    suspended = lab.submit()
    lab.until(suspended, "Starting")
    lab.patch(suspended, suspend=True)
    lab.until(suspended, "Suspended")
    lab.patch(suspended, suspend=False)
    lab.until(suspended, "Starting")
    lab.patch(suspended, cancel=True)
    lab.until(suspended, "Cancelled")
    deleted = lab.submit()
    lab.until(deleted, "Starting")
    lab.rest.delete(f"{lab.training_jobs}/{deleted}")
    lab.rest.post(
        f"{lab.core}/resourcequotas",
        {"metadata": {"name": "full"}, "spec": {"hard": {"pods": "0"}}},
    )
    wait_for("the quota counts", lambda: lab.quota_counts("full"))
    waiting = lab.submit()
    assert lab.until(waiting, "Pending").reason == Reason.QUOTA_EXCEEDED
    lab.rest.delete(f"{lab.core}/resourcequotas/full")
    lab.patch(waiting, cancel=True)
    lab.until(waiting, "Cancelled")


def live_through_models(models: ModelLab) -> None:
    """A run, one that replaces it, and a history that is kept within its limits."""
    name = models.create(schedule=models.daily, concurrencyPolicy="Replace")
    models.let_time_come(name)
    first = models.run(name)
    models.recorded(name, first, "Starting")
    models.let_time_come(name)
    second = models.run(name, first)
    models.lab.until(first, "Cancelled")
    succeed(models.lab, second)
    models.patch(name, historyLimits={"failed": 0})
    models.until("the first is gone", lambda: models.runs(name) == [second], timeout=60)


def test_it_uses_every_permission_that_the_chart_gives_and_needs_no_other(
    kubernetes: ControlPlane, lab: Lab, models: ModelLab
) -> None:
    audit = Audit(kubernetes.audit, lab.namespace)
    settings = {"TRAINYARD_LEASE_NAME": LEASE, "TRAINYARD_RESYNC_SECONDS": "2"}
    process = models.start(**settings)
    live_through_runs(lab)
    live_through_models(models)
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=10) == 0
    name = lab.submit()
    models.start(**settings)
    succeed(lab, name)
    assert audit.refused() == []
    used, given = audit.used(), permissions()
    assert sorted(given - used) == []
    assert sorted(used - given) == []
