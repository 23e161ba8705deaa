"""Objects that another version has stored: with fields that are unknown, and without known ones.

They are stored while the CRDs take anything. After that the CRDs are the real ones again, as after
an upgrade, or stay as they are, as after a rollback of the operator alone.
"""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from trainyard_schema import Reason, names
from trainyard_schema.crd import custom_resource_definition
from trainyard_schema.model_crd import model_custom_resource_definition

from ..control_plane import Rest, wait_for
from .conftest import Lab
from .models import ModelLab
from .results import succeed

pytestmark = [pytest.mark.component, pytest.mark.timeout(180)]

CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
ANYTHING = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
DATA = {"uri": "s3://trainyard/churn.csv", "target": "churned"}
TIME = "2026-11-01T09:00:00Z"


def put_schemas(rest: Rest, namespace: str, *, lax: bool) -> None:
    """Have both CRDs take anything, or what they should; returns when they do."""
    for crd in (custom_resource_definition(), model_custom_resource_definition()):
        [version] = crd["spec"]["versions"]
        if lax:
            version = {**version, "schema": {"openAPIV3Schema": {
                "type": "object", "properties": {"spec": ANYTHING, "status": ANYTHING},
            }}}  # fmt: skip
        rest.patch(f"{CRDS}/{crd['metadata']['name']}", {"spec": {"versions": [version]}})
        plural = crd["spec"]["names"]["plural"]
        path = f"/apis/{names.API_VERSION}/namespaces/{namespace}/{plural}"
        odd = {
            "apiVersion": names.API_VERSION,
            "kind": crd["spec"]["names"]["kind"],
            "metadata": {"name": f"odd-{secrets.token_hex(3)}"},
            "spec": {"odd": True},
        }

        def is_done(path: str = path, odd: dict[str, Any] = odd) -> bool:
            try:
                rest.post(path, odd, dryRun="All")
            except AssertionError:
                return not lax
            return lax

        wait_for(f"the schema of {plural} is in use", is_done)


@contextmanager
def taking_anything(lab: Lab) -> Iterator[None]:
    put_schemas(lab.rest, lab.namespace, lax=True)
    try:
        yield
    finally:
        put_schemas(lab.rest, lab.namespace, lax=False)


@pytest.fixture(params=["upgrade", "rollback"])
def lab_of_both(request: pytest.FixtureRequest, lab: Lab) -> Iterator[tuple[Lab, bool]]:
    """A lab whose CRDs take anything, and whether they still do when the operator starts."""
    with taking_anything(lab):
        yield lab, request.param == "rollback"


def store(
    lab: Lab, spec: dict[str, Any], status: dict[str, Any] | None = None, path: str = ""
) -> str:
    name = f"stored-{secrets.token_hex(3)}"
    path = path or lab.training_jobs
    kind = names.KIND if path == lab.training_jobs else names.MODEL_KIND
    body = {"apiVersion": names.API_VERSION, "kind": kind, "metadata": {"name": name}}
    lab.rest.post(path, {**body, "spec": spec})
    if status is not None:
        lab.rest.patch(f"{path}/{name}/status", {"status": status})
    return name


def test_what_another_version_stored_is_reconciled(
    lab_of_both: tuple[Lab, bool], models: ModelLab
) -> None:
    lab, stays_lax = lab_of_both
    # Fields that this version does not know, and none of those that have defaults.
    more = store(lab, {"modelType": "xgboost", "data": {**DATA, "cache": True}, "colour": "blue"})
    # A field that this version asks for is not there.
    less = store(lab, {"modelType": "xgboost", "data": {"uri": DATA["uri"]}})
    known = {"modelType": "xgboost", "data": DATA, "backoffLimit": 0}
    running = {"phase": "Running", "attempts": 1, "startTime": TIME, "conditions": []}
    # It ran, for a reason that this version has no word for, and somebody deleted its Job.
    lost = store(lab, known, {**running, "reason": "Rebalancing", "jobName": "gone"})
    ended = {"completionTime": TIME, "message": "as it was", "attempts": 4}
    finished = [
        store(lab, known, {**ended, "phase": "Failed", "reason": "Meteorite", "colour": "blue"}),
        store(lab, known, {**ended, "phase": "Archived"}),
        store(lab, {"modelType": "svm"}, {**ended, "phase": "Succeeded", "models": [{"odd": 1}]}),
    ]
    template = {"spec": {"modelType": "xgboost", "data": DATA}, "colour": "blue"}
    model = store(lab, {"template": template, "colour": "blue"}, {"colour": "blue"}, models.path)
    if not stays_lax:
        put_schemas(lab.rest, lab.namespace, lax=False)
    before = {name: lab.training_job(name) for name in finished}

    process = models.start()
    succeed(lab, more)
    status = lab.until(less, "Failed")
    assert status.reason == Reason.INVALID_SPEC
    assert "spec.data.target" in str(status.message)
    assert lab.until(lost, "Failed").reason == Reason.JOB_DELETED
    models.retrain(model, "1")
    run = models.run(model)
    succeed(lab, run)
    models.recorded(model, run, "Succeeded")

    # All keys have been looked at by now, and those that ended before stayed as they were.
    assert {name: lab.training_job(name) for name in finished} == before
    owners = {job["metadata"]["labels"][names.NAME_LABEL] for job in lab.rest.items(lab.jobs)}
    assert owners == {more, run}
    assert process.poll() is None
    assert "reconcile failed" not in lab.log
