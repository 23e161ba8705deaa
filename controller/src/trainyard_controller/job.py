"""The Job that a TrainingJob asks for."""

from typing import Any

from trainyard_schema import EXIT_CODES, RunConfig, TrainingJobSpec, names
from trainyard_schema.run import NOT_RETRIED, OOM_EXIT_CODE, SAVE_SECONDS
from trainyard_schema.status import Reason

from trainyard_controller.objects import TrainingJob
from trainyard_controller.oom_retry import raised
from trainyard_controller.settings import Settings

USER_ID = 10001
TERMINATION_GRACE_PERIOD_SECONDS = 10
_CREDENTIALS = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")


def _pod_failure_policy() -> dict[str, Any]:
    def on_exit(action: str, codes: list[int]) -> dict[str, Any]:
        return {
            "action": action,
            "onExitCodes": {
                "containerName": names.TRAINER_CONTAINER,
                "operator": "In",
                "values": sorted(codes),
            },
        }

    return {
        "rules": [
            # The first match decides: what the infrastructure did is never the run's fault.
            {
                "action": "Ignore",
                "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}],
            },
            on_exit("Ignore", [EXIT_CODES[Reason.INTERRUPTED]]),
            on_exit("FailIndex", [*(EXIT_CODES[reason] for reason in NOT_RETRIED), OOM_EXIT_CODE]),
        ]
    }


def _container(spec: TrainingJobSpec, run: RunConfig, settings: Settings) -> dict[str, Any]:
    credentials = [
        {
            "name": key,
            "valueFrom": {"secretKeyRef": {"name": settings.s3_secret, "key": key}},
        }
        for key in _CREDENTIALS
    ]
    return {
        "name": names.TRAINER_CONTAINER,
        "image": settings.trainer_image,
        "imagePullPolicy": settings.image_pull_policy,
        "env": [
            {"name": names.RUN_CONFIG_ENV, "value": run.to_json()},
            {
                "name": names.POD_UID_ENV,
                "valueFrom": {"fieldRef": {"fieldPath": "metadata.uid"}},
            },
            *credentials,
        ],
        "ports": [{"name": "metrics", "containerPort": names.TRAINER_PORT}],
        "resources": spec.resources.to_dict(),
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
            "readOnlyRootFilesystem": True,
        },
        "terminationMessagePath": names.TERMINATION_LOG,
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "volumeMounts": [{"name": "tmp", "mountPath": "/tmp"}],  # noqa: S108
    }


def _grace_period_seconds(spec: TrainingJobSpec) -> int:
    """How long a pod may take to end. A pod that saves takes what it needs of it, not all."""
    saving = SAVE_SECONDS if spec.on_cancel == "save" else 0
    return saving + TERMINATION_GRACE_PERIOD_SECONDS


def _pod_spec(spec: TrainingJobSpec, run: RunConfig, settings: Settings) -> dict[str, Any]:
    pod: dict[str, Any] = {
        "restartPolicy": "Never",
        "serviceAccountName": settings.trainer_service_account,
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "terminationGracePeriodSeconds": _grace_period_seconds(spec),
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": USER_ID,
            "runAsGroup": USER_ID,
            "fsGroup": USER_ID,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "containers": [_container(spec, run, settings)],
        "volumes": [{"name": "tmp", "emptyDir": {}}],
    }
    if settings.image_pull_secrets:
        pod["imagePullSecrets"] = [{"name": name} for name in settings.image_pull_secrets]
    if spec.priority_class_name is not None:
        pod["priorityClassName"] = spec.priority_class_name
    if spec.node_selector:
        pod["nodeSelector"] = dict(spec.node_selector)
    if spec.tolerations:
        pod["tolerations"] = [toleration.to_dict() for toleration in spec.tolerations]
    return pod


def build_job(
    training_job: TrainingJob, spec: TrainingJobSpec, run: RunConfig, settings: Settings
) -> dict[str, Any]:
    """The present Job of a TrainingJob: Indexed, with one completion for each model type."""
    raises = training_job.status.oom_retries
    spec, run = raised(spec, run, raises[-1] if raises else None)
    labels = {
        names.MANAGED_BY_LABEL: names.MANAGED_BY,
        names.UID_LABEL: training_job.uid,
        names.NAME_LABEL: names.label_value(training_job.name),
        names.MODEL_LABEL: names.label_value(run.model),
        names.MODEL_TYPE_LABEL: spec.model_type,
    }
    kueue = training_job.kueue_labels
    job_spec: dict[str, Any] = {
        "completionMode": "Indexed",
        "completions": len(run.model_types),
        "parallelism": len(run.model_types),
        "backoffLimitPerIndex": spec.backoff_limit,
        "podReplacementPolicy": "Failed",
        # Kueue takes the suspension away when it admits the Job.
        "suspend": spec.suspend or bool(kueue),
        "template": {
            "metadata": {
                "labels": labels,
                "annotations": {names.MODEL_TYPES_ANNOTATION: ",".join(run.model_types)},
            },
            "spec": _pod_spec(spec, run, settings),
        },
    }
    if spec.backoff_limit > 0:
        # Else the first failure of an index is its last, and nothing that happens is to be ignored.
        job_spec["podFailurePolicy"] = _pod_failure_policy()
    if spec.active_deadline_seconds is not None:
        job_spec["activeDeadlineSeconds"] = spec.active_deadline_seconds
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {
            "name": training_job.job_name,
            "namespace": training_job.namespace,
            "labels": {**labels, **kueue},
            "ownerReferences": [
                {
                    "apiVersion": names.API_VERSION,
                    "kind": names.KIND,
                    "name": training_job.name,
                    "uid": training_job.uid,
                    "controller": True,
                    "blockOwnerDeletion": False,
                }
            ],
        },
        "spec": job_spec,
    }
