"""Why a run does not start is one line of `kubectl get tj -o wide`, within 30 s."""

import secrets
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from trainyard_schema import Reason

from ..control_plane import wait_for
from .conftest import Lab

pytestmark = [pytest.mark.component, pytest.mark.timeout(180)]
TOLD_SECONDS = 30
ADMISSION = "/apis/admissionregistration.k8s.io/v1"


def row(lab: Lab, name: str) -> dict[str, Any]:
    """What `kubectl get tj <name> -o wide` shows."""
    return lab.rest.table(f"{lab.training_jobs}/{name}")


def told(lab: Lab, name: str, reason: str) -> str:
    """The message beside a reason, once the reason is shown."""

    def shown() -> dict[str, Any] | None:
        found = row(lab, name)
        return found if found["Reason"] == reason else None

    return str(wait_for(f"{reason} is shown", shown, TOLD_SECONDS)["Message"])


def waiting(lab: Lab, name: str, reason: str, message: str) -> None:
    """The kubelet cannot start the container."""
    state = {"waiting": {"reason": reason, "message": message}}
    lab.set_pod(lab.pod(name), "Pending", state)


@pytest.fixture
def install(lab: Lab) -> Iterator[Callable[[str, dict[str, Any]], str]]:
    """Create objects of the whole cluster, which go when the test ends."""
    paths: list[str] = []

    def post(plural: str, body: dict[str, Any]) -> str:
        name = f"{lab.namespace}-{secrets.token_hex(3)}"
        lab.rest.post(f"{ADMISSION}/{plural}", {"metadata": {"name": name}, **body})
        paths.append(f"{ADMISSION}/{plural}/{name}")
        return name

    yield post
    for path in paths:
        lab.rest.delete(path)


def matching(lab: Lab, group: str, resource: str) -> dict[str, Any]:
    """What creates such objects in this namespace."""
    here = {"matchLabels": {"kubernetes.io/metadata.name": lab.namespace}}
    what = {
        "apiGroups": [group],
        "apiVersions": ["v1"],
        "operations": ["CREATE"],
        "resources": [resource],
    }
    return {"namespaceSelector": here, "rules": [what]}


def deny(
    lab: Lab,
    install: Callable[[str, dict[str, Any]], str],
    group: str,
    resource: str,
) -> None:
    """A ValidatingAdmissionPolicy that refuses to have such objects created in this namespace."""
    match = matching(lab, group, resource)
    rule = {"expression": "false", "message": "not on Tuesdays"}
    policy = install(
        "validatingadmissionpolicies",
        {
            "spec": {
                "failurePolicy": "Fail",
                "matchConstraints": {
                    "namespaceSelector": match["namespaceSelector"],
                    "resourceRules": match["rules"],
                },
                "validations": [rule],
            }
        },
    )
    install(
        "validatingadmissionpolicybindings",
        {"spec": {"policyName": policy, "validationActions": ["Deny"]}},
    )


def until_denied(lab: Lab, resource: str, body: dict[str, Any]) -> None:
    """The API server takes a moment to follow its policies."""

    def refused() -> bool:
        try:
            lab.rest.post(resource, body, dryRun="All")
        except AssertionError as error:
            return "not on Tuesdays" in str(error) or "calling webhook" in str(error)
        return False

    wait_for("the policy is in force", refused)


POD = {
    "restartPolicy": "Never",
    "serviceAccountName": "trainer",
    "containers": [{"name": "main", "image": "other"}],
}
JOB = {"metadata": {"name": "probe"}, "spec": {"template": {"spec": POD}}}


def test_unschedulable_names_the_resource(lab: Lab) -> None:
    lab.start()
    name = lab.submit()
    lab.unschedulable(name, "0/3 nodes are available: 3 Insufficient memory. preemption: none.")
    assert told(lab, name, "Unschedulable").startswith(
        "no node takes the pod: 0/3 nodes are available: 3 Insufficient memory; "
    )


def test_an_image_that_cannot_be_pulled_is_named(lab: Lab) -> None:
    lab.start()
    name = lab.submit()
    waiting(lab, name, "ErrImagePull", "manifest unknown")
    assert told(lab, name, "ImagePullFailed").startswith(
        "cannot pull image trainer:test: manifest unknown; "
    )


def test_a_missing_secret_is_named(lab: Lab) -> None:
    lab.start()
    name = lab.submit()
    waiting(lab, name, "CreateContainerConfigError", 'secret "s3" not found')
    assert 'secret "s3" not found; create the named Secret' in told(
        lab, name, "ContainerConfigError"
    )


def test_a_missing_service_account_is_named_and_waited_for(lab: Lab) -> None:
    lab.rest.delete(f"{lab.core}/serviceaccounts/trainer")
    lab.start()
    name = lab.submit()
    assert 'serviceaccount "trainer" not found; ' in told(lab, name, "ServiceAccountMissing")
    assert row(lab, name)["Phase"] == "Pending"
    lab.rest.post(f"{lab.core}/serviceaccounts", {"metadata": {"name": "trainer"}})
    lab.until(name, "Starting", timeout=60)
    assert not row(lab, name)["Reason"]


def test_a_full_namespace_shows_and_the_run_starts_when_there_is_room(lab: Lab) -> None:
    lab.start()
    quota = {"metadata": {"name": "full"}, "spec": {"hard": {"pods": "0"}}}
    lab.rest.post(f"{lab.core}/resourcequotas", quota)
    wait_for("the quota counts", lambda: lab.quota_counts("full"))
    name = lab.submit()
    assert "exceeded quota: full" in told(lab, name, "QuotaExceeded")
    lab.rest.delete(f"{lab.core}/resourcequotas/full")
    lab.until(name, "Starting", timeout=60)


def test_one_of_several_model_types_without_room_is_named(lab: Lab) -> None:
    lab.start()
    quota = {"metadata": {"name": "full"}, "spec": {"hard": {"pods": "2"}}}
    lab.rest.post(f"{lab.core}/resourcequotas", quota)
    wait_for("the quota counts", lambda: lab.quota_counts("full"))
    name = lab.submit(modelType="all")
    assert "exceeded quota: full" in told(lab, name, "QuotaExceeded")
    reasons = [one.reason for one in lab.status(name).model_types or []]
    assert reasons.count(Reason.QUOTA_EXCEEDED) == 1


def test_a_policy_that_refuses_the_pods(
    lab: Lab, install: Callable[[str, dict[str, Any]], str]
) -> None:
    deny(lab, install, "", "pods")
    until_denied(lab, f"{lab.core}/pods", {"metadata": {"name": "probe"}, "spec": POD})
    lab.start()
    name = lab.submit()
    message = told(lab, name, "AdmissionRefused")
    assert message.startswith("the pod cannot be created: ValidatingAdmissionPolicy")
    assert "not on Tuesdays; " in message


def test_a_policy_that_refuses_the_job(
    lab: Lab, install: Callable[[str, dict[str, Any]], str]
) -> None:
    deny(lab, install, "batch", "jobs")
    until_denied(lab, lab.jobs, JOB)
    lab.start()
    name = lab.submit()
    message = told(lab, name, "AdmissionRefused")
    assert message.startswith("the Job cannot be created: ValidatingAdmissionPolicy")
    assert "not on Tuesdays; " in message
    assert lab.status(name).conditions[0].status == "False"


def test_a_webhook_that_does_not_answer(
    lab: Lab, install: Callable[[str, dict[str, Any]], str]
) -> None:
    match = matching(lab, "batch", "jobs")
    webhook = {
        "name": "policy.example.com",
        "clientConfig": {"url": "https://127.0.0.1:9/"},
        "sideEffects": "None",
        "admissionReviewVersions": ["v1"],
        "failurePolicy": "Fail",
        "timeoutSeconds": 1,
        **match,
    }
    install("validatingwebhookconfigurations", {"webhooks": [webhook]})
    until_denied(lab, lab.jobs, JOB)
    lab.start()
    name = lab.submit()
    message = told(lab, name, "AdmissionRefused")
    assert 'failed calling webhook "policy.example.com"' in message


def test_suspended_says_how_to_go_on(lab: Lab) -> None:
    lab.start()
    name = lab.submit(suspend=True)
    lab.until(name, "Suspended")
    assert row(lab, name)["Message"] == "to go on, set spec.suspend to false"
