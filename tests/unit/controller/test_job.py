import json
from typing import Any

import pytest
from trainyard_controller.job import build_job
from trainyard_controller.settings import Settings
from trainyard_schema import (
    EXIT_CODES,
    GUIDES,
    Reason,
    Retried,
    RunConfig,
    TrainingJobSpec,
    names,
    run_config,
)
from trainyard_schema.run import OOM_EXIT_CODE

from .samples import JOB_NAME, SETTINGS, UID, training_job


def job_of(settings: Settings = SETTINGS, **spec: Any) -> dict[str, Any]:
    one = training_job(**spec)
    parsed = TrainingJobSpec.from_stored(one.spec)
    run = run_config(
        parsed,
        namespace=one.namespace,
        name=one.name,
        uid=one.uid,
        storage=settings.storage,
        image=settings.trainer_image,
    )
    return build_job(one, parsed, run, settings)


LABELS = {
    "app.kubernetes.io/managed-by": "trainyard",
    "trainyard.dev/trainingjob-uid": UID,
    "trainyard.dev/trainingjob": "churn",
    "trainyard.dev/model": "churn",
    "trainyard.dev/model-type": "xgboost",
}


def test_the_whole_job() -> None:
    job = job_of()
    container = job["spec"]["template"]["spec"]["containers"][0]
    run = container["env"][0].pop("value")
    assert job == {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {
            "name": JOB_NAME,
            "namespace": "lab",
            "labels": LABELS,
            "ownerReferences": [
                {
                    "apiVersion": "trainyard.dev/v1alpha1",
                    "kind": "TrainingJob",
                    "name": "churn",
                    "uid": UID,
                    "controller": True,
                    "blockOwnerDeletion": False,
                }
            ],
        },
        "spec": {
            "completionMode": "Indexed",
            "completions": 1,
            "parallelism": 1,
            "backoffLimitPerIndex": 2,
            "podReplacementPolicy": "Failed",
            "suspend": False,
            "podFailurePolicy": {
                "rules": [
                    {
                        "action": "Ignore",
                        "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}],
                    },
                    {
                        "action": "Ignore",
                        "onExitCodes": {
                            "containerName": "trainer",
                            "operator": "In",
                            "values": [143],
                        },
                    },
                    {
                        "action": "FailIndex",
                        "onExitCodes": {
                            "containerName": "trainer",
                            "operator": "In",
                            "values": [64, 65, 66, 67, 68, 69, 71, 137],
                        },
                    },
                ]
            },
            "template": {
                "metadata": {
                    "labels": LABELS,
                    "annotations": {"trainyard.dev/model-types": "xgboost"},
                },
                "spec": {
                    "restartPolicy": "Never",
                    "serviceAccountName": "trainer",
                    "automountServiceAccountToken": False,
                    "enableServiceLinks": False,
                    "terminationGracePeriodSeconds": 10,
                    "securityContext": {
                        "runAsNonRoot": True,
                        "runAsUser": 10001,
                        "runAsGroup": 10001,
                        "fsGroup": 10001,
                        "seccompProfile": {"type": "RuntimeDefault"},
                    },
                    "containers": [
                        {
                            "name": "trainer",
                            "image": "registry/trainer:1",
                            "imagePullPolicy": "IfNotPresent",
                            "env": [
                                {"name": "TRAINYARD_RUN"},
                                {
                                    "name": "POD_UID",
                                    "valueFrom": {"fieldRef": {"fieldPath": "metadata.uid"}},
                                },
                                {
                                    "name": "AWS_ACCESS_KEY_ID",
                                    "valueFrom": {
                                        "secretKeyRef": {
                                            "name": "s3-keys",
                                            "key": "AWS_ACCESS_KEY_ID",
                                        }
                                    },
                                },
                                {
                                    "name": "AWS_SECRET_ACCESS_KEY",
                                    "valueFrom": {
                                        "secretKeyRef": {
                                            "name": "s3-keys",
                                            "key": "AWS_SECRET_ACCESS_KEY",
                                        }
                                    },
                                },
                            ],
                            "ports": [{"name": "metrics", "containerPort": 8080}],
                            "resources": {
                                "requests": {"cpu": "500m", "memory": "512Mi"},
                                "limits": {"cpu": "1", "memory": "1Gi"},
                            },
                            "securityContext": {
                                "allowPrivilegeEscalation": False,
                                "capabilities": {"drop": ["ALL"]},
                                "readOnlyRootFilesystem": True,
                            },
                            "terminationMessagePath": "/dev/termination-log",
                            "terminationMessagePolicy": "FallbackToLogsOnError",
                            "volumeMounts": [{"name": "tmp", "mountPath": "/tmp"}],
                        }
                    ],
                    "volumes": [{"name": "tmp", "emptyDir": {}}],
                },
            },
        },
    }
    assert RunConfig.model_validate_json(run).training_job == "lab/churn"
    assert json.loads(run)["storage"] == {
        "bucket": "trainyard",
        "endpointUrl": "http://s3:7070",
        "region": "us-east-1",
    }


def test_all_is_one_job_with_an_index_for_each_model_type() -> None:
    spec = job_of(modelType="all")["spec"]
    assert (spec["completions"], spec["parallelism"]) == (3, 3)
    annotations = spec["template"]["metadata"]["annotations"]
    assert annotations[names.MODEL_TYPES_ANNOTATION] == "xgboost,random-forest,neural-net"


def test_what_is_not_asked_for_is_left_out() -> None:
    spec = job_of()["spec"]
    assert "activeDeadlineSeconds" not in spec
    assert "ttlSecondsAfterFinished" not in spec
    absent = {"priorityClassName", "nodeSelector", "tolerations", "imagePullSecrets"}
    assert absent.isdisjoint(spec["template"]["spec"])


def test_what_is_asked_for_reaches_job_and_pod() -> None:
    settings = SETTINGS.model_copy(update={"image_pull_secrets": ("a", "b")})
    toleration = {"key": "gpu", "operator": "Exists", "effect": "NoSchedule"}
    spec = job_of(
        settings,
        backoffLimit=5,
        activeDeadlineSeconds=60,
        suspend=True,
        priorityClassName="batch",
        nodeSelector={"disk": "ssd"},
        tolerations=[toleration],
    )["spec"]
    assert spec["backoffLimitPerIndex"] == 5
    assert spec["activeDeadlineSeconds"] == 60
    assert spec["suspend"] is True
    pod = spec["template"]["spec"]
    assert pod["priorityClassName"] == "batch"
    assert pod["nodeSelector"] == {"disk": "ssd"}
    assert pod["tolerations"] == [toleration]
    assert pod["imagePullSecrets"] == [{"name": "a"}, {"name": "b"}]


def test_retries_are_what_the_table_of_reasons_says() -> None:
    rules = job_of()["spec"]["podFailurePolicy"]["rules"]
    actions = {
        code: rule["action"]
        for rule in rules
        if "onExitCodes" in rule
        for code in rule["onExitCodes"]["values"]
    }
    retried = {"FailIndex": Retried.NO, "Ignore": Retried.NOT_COUNTED, "Count": Retried.YES}
    for reason, code in {**EXIT_CODES, Reason.OOM_KILLED: OOM_EXIT_CODE}.items():
        assert retried[actions.get(code, "Count")] is GUIDES[reason].retried, reason


def test_without_retries_nothing_is_ignored() -> None:
    spec = job_of(backoffLimit=0)["spec"]
    assert spec["backoffLimitPerIndex"] == 0
    assert "podFailurePolicy" not in spec


def test_a_run_that_saves_has_the_time_to_do_so() -> None:
    pod = job_of(onCancel="save")["spec"]["template"]["spec"]
    assert pod["terminationGracePeriodSeconds"] == 120


@pytest.mark.parametrize("model", ["x", "m" * 63])
def test_labels_are_valid_for_any_model_name(model: str) -> None:
    label = job_of(model=model)["metadata"]["labels"][names.MODEL_LABEL]
    assert 0 < len(label) <= 63
