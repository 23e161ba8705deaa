"""The kinds of runs that are compared: what each looks like, and when one has ended."""

from dataclasses import dataclass
from typing import Any, Protocol

from trainyard_controller.job import build_job
from trainyard_controller.objects import TrainingJob
from trainyard_controller.outcome import finished_condition
from trainyard_controller.settings import Settings
from trainyard_schema import TrainingJobSpec, names, run_config

from .cases import CANCELLED, FAILS, SUCCEEDS

Document = dict[str, Any]

FATE_LABEL = names.MODEL_LABEL
"""A pod's label by which its fake node knows how it is to end."""
TRAINER_SERVICE_ACCOUNT = "trainer"
_DATA = {"uri": "s3://trainyard/datasets/churn.csv", "target": "churned"}


class Kind(Protocol):
    """One kind of runs, in a namespace of its own."""

    @property
    def path(self) -> str:
        """Where they are created, listed and watched."""

    @property
    def namespace(self) -> str:
        """Their namespace; it has the Jobs and pods as well."""

    @property
    def name_label(self) -> str:
        """The label that names the run, of its Job and its pods."""

    @property
    def cancel(self) -> tuple[str, Document]:
        """Method and body of the request that cancels one."""

    def manifest(self, name: str, fate: str) -> Document:
        """One that is to end like that."""

    def outcome(self, event: str, document: Document) -> str | None:
        """How it ended, by an event of the watch; None as long as it has not."""


def training_job(name: str, fate: str, namespace: str) -> Document:
    """A TrainingJob whose pods are to end like that."""
    return {
        "apiVersion": names.API_VERSION,
        "kind": names.KIND,
        "metadata": {"name": name, "namespace": namespace},
        # A Job of its own for each failure, and no second attempt of those that are to fail.
        "spec": {"model": fate, "modelType": "xgboost", "data": _DATA, "backoffLimit": 0},
    }


@dataclass(frozen=True)
class TrainingJobs:
    """What is measured."""

    namespace: str = "runs"
    name_label: str = names.NAME_LABEL
    cancel: tuple[str, Document] = ("PATCH", {"spec": {"cancel": True}})

    @property
    def path(self) -> str:
        return f"/apis/{names.API_VERSION}/namespaces/{self.namespace}/{names.PLURAL}"

    def manifest(self, name: str, fate: str) -> Document:
        return training_job(name, fate, self.namespace)

    def outcome(self, event: str, document: Document) -> str | None:
        ends = {"Succeeded": SUCCEEDS, "Failed": FAILS, "Cancelled": CANCELLED}
        return ends.get(document.get("status", {}).get("phase", ""))


@dataclass(frozen=True)
class BareJobs:
    """The Jobs that the operator would create, created by hand: nobody could be faster."""

    settings: Settings
    namespace: str = "bare"
    name_label: str = names.NAME_LABEL
    cancel: tuple[str, Document] = ("DELETE", {"propagationPolicy": "Background"})

    @property
    def path(self) -> str:
        return f"/apis/batch/v1/namespaces/{self.namespace}/jobs"

    def manifest(self, name: str, fate: str) -> Document:
        document = training_job(name, fate, self.namespace)
        document["metadata"] |= {
            "uid": f"uid-of-{name}",
            "resourceVersion": "1",
            "creationTimestamp": "2026-01-01T00:00:00Z",
        }
        seen = TrainingJob.from_document(document)
        spec = TrainingJobSpec.from_stored(document["spec"])
        run = run_config(
            spec,
            namespace=self.namespace,
            name=name,
            uid=seen.uid,
            storage=self.settings.storage,
            image=self.settings.trainer_image,
        )
        job = build_job(seen, spec, run, self.settings)
        job["metadata"]["name"] = name
        del job["metadata"]["ownerReferences"]
        return job

    def outcome(self, event: str, document: Document) -> str | None:
        if event == "DELETED":
            return CANCELLED
        condition = finished_condition(document)
        if condition is None:
            return None
        return SUCCEEDS if condition["type"] == "Complete" else FAILS
