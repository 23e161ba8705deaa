"""Models in a Lab, and the ways of sabotage that only they know."""

import secrets
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

from trainyard_schema import Action, ModelStatus, Outcome, names

from ...forking.forks import Fork
from ..control_plane import wait_for
from .conftest import Lab
from .results import succeed

T = TypeVar("T")
_DECISIONS = {*Outcome, *Action, "RequestRefused", "VersionMissing", "StorageUnavailable"}


API = "trainyard_controller.models.kube:ModelApi"
STORE = "trainyard_controller.object_store:ObjectStore"


def killed(when: str, request: str, of: str = API, *, only: str = "True") -> str:
    """The operator is killed `before` or `after` its first request of this name for which `only`
    holds, an expression of `args` and `kwargs`.
    """
    module, _, kind = of.partition(":")
    return f"""
import os, importlib
owner = importlib.import_module("{module}").{kind}
sent = owner.{request}
async def killed(self, *args, **kwargs):
    if not ({only}):
        return await sent(self, *args, **kwargs)
    if {when == "after"}:
        await sent(self, *args, **kwargs)
    os._exit(9)
owner.{request} = killed
"""


STEERED = """
import datetime, os, pathlib
from trainyard_controller.models import reconcile
reconcile.LONGEST_WAIT_SECONDS = 0.2
reconcile.REFUSED_RETRY_SECONDS = 1.0
clock = pathlib.Path(os.environ["CLOCK"])
utc_now = reconcile.utc_now
def now():
    return utc_now() + datetime.timedelta(seconds=float(clock.read_text()))
reconcile.ModelReconciler.__init__.__kwdefaults__["now"] = now
"""
"""The time is what the test says, and what is looked at now and then is looked at all the time."""

DATA = {"uri": "s3://trainyard/churn.csv", "target": "churned"}


class ModelLab:
    """Models of a Lab. The operator's clock is the test's; the API server's is the machine's."""

    def __init__(self, lab: Lab, clock: Path) -> None:
        self.lab = lab
        self.path = f"/apis/{names.API_VERSION}/namespaces/{lab.namespace}/{names.MODEL_PLURAL}"
        self._clock = clock
        self._ahead = timedelta()
        self.pass_time()
        in_half_a_day = datetime.now(UTC) + timedelta(hours=12)
        self.daily = f"{in_half_a_day.minute} {in_half_a_day.hour} * * *"

    def start(self, sabotage: str = "", **environment: str) -> Fork:
        return self.lab.start(STEERED + sabotage, CLOCK=str(self._clock), **environment)

    def pass_time(self, **how_much: float) -> None:
        self._ahead += timedelta(**how_much)
        fresh = self._clock.with_suffix(".new")
        fresh.write_text(str(self._ahead.total_seconds()))
        fresh.replace(self._clock)

    def create(self, *, template: dict[str, Any] | None = None, **spec: Any) -> str:
        name = f"model-{secrets.token_hex(3)}"
        training = {"modelType": "xgboost", "data": DATA}
        self.lab.rest.post(
            self.path,
            {
                "apiVersion": names.API_VERSION,
                "kind": names.MODEL_KIND,
                "metadata": {"name": name},
                "spec": {"template": {"spec": training, **(template or {})}, **spec},
            },
            fieldValidation="Strict",
        )
        return name

    def get(self, name: str) -> dict[str, Any]:
        found = self.lab.rest.get(f"{self.path}/{name}")
        assert found is not None
        return found

    def status(self, name: str) -> ModelStatus:
        return ModelStatus.model_validate(self.get(name).get("status", {}))

    def patch(self, name: str, **spec: Any) -> None:
        self.lab.rest.patch(f"{self.path}/{name}", {"spec": spec})

    def retrain(self, name: str, value: str) -> None:
        annotations = {names.RETRAIN_ANNOTATION: value}
        self.lab.rest.patch(f"{self.path}/{name}", {"metadata": {"annotations": annotations}})

    def request(self, name: str, value: str, *, mode: str, requester: str) -> None:
        """What the API writes."""
        annotations = {
            names.RETRAIN_ANNOTATION: value,
            names.RETRAIN_MODE_ANNOTATION: f"{mode} {value}",
            names.RETRAIN_REQUESTER_ANNOTATION: f"{requester} {value}",
        }
        self.lab.rest.patch(f"{self.path}/{name}", {"metadata": {"annotations": annotations}})

    def annotate(self, name: str, **annotations: str) -> None:
        """What `kubectl annotate` does, with keys of this group."""
        keys = {f"{names.GROUP}/{key}": value for key, value in annotations.items()}
        self.lab.rest.patch(f"{self.path}/{name}", {"metadata": {"annotations": keys}})

    def seen(self, name: str) -> ModelStatus:
        """The status once the operator has seen the spec as it is now."""

        def look() -> ModelStatus | None:
            model = self.get(name)
            generation = model.get("status", {}).get("observedGeneration")
            return self.status(name) if generation == model["metadata"]["generation"] else None

        return self.wait(f"{name} is seen", look)

    def let_time_come(self, name: str) -> datetime:
        """Set the clock to the next time of the schedule, which is returned."""
        time: datetime | None = self.seen(name).next_schedule_time
        assert time is not None
        left = time - datetime.now(UTC) - self._ahead
        self.pass_time(seconds=left.total_seconds() + 1)
        return time

    def runs(self, name: str) -> list[str]:
        """The names of the Model's TrainingJobs."""
        selector = f"{names.MODEL_UID_LABEL}={self.get(name)['metadata']['uid']}"
        found = self.lab.rest.items(self.lab.training_jobs, labelSelector=selector)
        return [run["metadata"]["name"] for run in found]

    def run(self, name: str, *before: str) -> str:
        """The name of the one TrainingJob that is there beside those that were there before."""

        def look() -> str | None:
            runs = self.runs(name)
            assert set(before) <= set(runs), runs
            assert len(runs) <= len(before) + 1, runs
            return next(iter(set(runs) - set(before)), None)

        return self.wait(f"{name} has a run", look)

    def recorded(self, name: str, run: str, phase: str) -> ModelStatus:
        """The status once it tells that the last run is this one, in this phase."""

        def look() -> ModelStatus | None:
            status = self.status(name)
            last = status.last_run
            return status if last and (last.name, last.phase) == (run, phase) else None

        return self.wait(f"{name} tells that {run} is {phase}", look)

    def succeed(self, name: str, run: str) -> ModelStatus:
        succeed(self.lab, run)
        return self.recorded(name, run, "Succeeded")

    def until(self, what: str, probe: Callable[[], object], timeout: float = 30) -> None:
        self.wait(what, lambda: bool(probe()) or None, timeout)

    def wait(self, what: str, probe: Callable[[], T | None], timeout: float = 30) -> T:
        try:
            return wait_for(what, probe, timeout)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.lab.log}") from None

    def message(self, name: str) -> str:
        return self.status(name).message or ""

    def ready(self, name: str) -> tuple[str, str, str]:
        conditions = self.status(name).conditions
        if not conditions:
            return "Unknown", "", ""
        return conditions[0].status, conditions[0].reason, conditions[0].message

    def events(self, name: str) -> list[str]:
        """The reasons of the Events about the Model's runs."""
        return [reason for reason in self._events(name) if reason not in _DECISIONS]

    def decisions(self, name: str) -> list[str]:
        """The reasons of the Events about its champion."""
        return [reason for reason in self._events(name) if reason in _DECISIONS]

    def _events(self, name: str) -> list[str]:
        selector = f"involvedObject.name={name},involvedObject.kind={names.MODEL_KIND}"
        found = self.lab.rest.items(f"{self.lab.core}/events", fieldSelector=selector)
        return sorted(event["reason"] for event in found)
