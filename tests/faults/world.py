"""A namespace with an operator behind a proxy, a node, and the oracle that watches it all."""

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

import yaml
from trainyard_controller.outcome import finished_condition
from trainyard_schema import TERMINAL_PHASES, Phase, TrainingJobStatus, names

from ..component.control_plane import ADMIN, OPERATOR, ControlPlane, wait_for
from ..component.controller.rbac import allow
from ..component.object_store import BUCKET, CREDENTIALS, S3Server
from ..forking.forks import ForkServer
from ..trainer_pods import End, ended
from . import node as nodes
from .background import Background
from .injection import Request
from .node import Node, Plan
from .oracle import Told, Witness, controller, difference, end_state, orphans, told
from .supervised import Operator
from .upstream import Document, Upstream

T = TypeVar("T")
BOUND_SECONDS = 30.0
"""How long a fault may hold up what is to happen, where the rules name no other time."""
QUIET_SECONDS = 1.0
NAME = "run"
DATA = {"uri": "s3://trainyard/churn.csv", "target": "churned"}


class World:
    """What a test sees is the API server itself; only the operator sees it through the proxy."""

    def __init__(
        self,
        kubernetes: ControlPlane,
        s3: S3Server,
        forks: ForkServer,
        background: Background,
        *,
        namespace: str,
        folder: Path,
        plan: Plan = lambda _: None,
        **settings: str,
    ) -> None:
        self.rest, self.s3, self.namespace = kubernetes.rest, s3, namespace
        self.core = f"/api/v1/namespaces/{namespace}"
        self.jobs = f"/apis/batch/v1/namespaces/{namespace}/jobs"
        self.training_jobs = f"/apis/{names.API_VERSION}/namespaces/{namespace}/{names.PLURAL}"
        self.rest.post("/api/v1/namespaces", {"metadata": {"name": namespace}})
        self.rest.post(f"{self.core}/serviceaccounts", {"metadata": {"name": "trainer"}})
        allow(self.rest, namespace)
        self._forks, self._background, self._folder = forks, background, folder
        self._kubeconfig = kubernetes.kubeconfigs[OPERATOR]
        self._environment = {
            "TRAINYARD_NAMESPACES": namespace,
            "TRAINYARD_TRAINER_IMAGE": "trainer:test",
            "TRAINYARD_TRAINER_SERVICE_ACCOUNT": "trainer",
            "TRAINYARD_S3_SECRET": "s3",
            "TRAINYARD_BUCKET": BUCKET,
            "TRAINYARD_S3_ENDPOINT_URL": s3.url,
            **CREDENTIALS,
            "TRAINYARD_METRICS_PORT": "0",
            "TRAINYARD_PROGRESS_SECONDS": "1",
            **settings,
        }
        admin = yaml.safe_load(kubernetes.kubeconfigs[ADMIN].read_text())
        url = admin["clusters"][0]["cluster"]["server"]
        self._upstream = background.run(_open(url, admin["users"][0]["user"]["token"]))
        self.node = Node(self._upstream, namespace, plan)
        self.witness = Witness()
        self._tasks = [
            background.start(self.node.run()),
            background.start(self._watch(self.training_jobs)),
            background.start(self._watch(self.jobs)),
        ]
        self.operators: list[Operator] = []
        self.operator = self.add_operator()

    async def _watch(self, path: str) -> None:
        async for event in self._upstream.follow(path, {}):
            self.witness.see(event)

    def add_operator(self, **settings: str) -> Operator:
        """One more, not yet running."""
        environment = {**self._environment, **settings}
        log = self._folder / f"operator-{len(self.operators) + 1}.log"
        one = Operator(self._forks, self._background, self._kubeconfig, log, environment)
        self.operators.append(one)
        return one

    def close(self) -> None:
        """End everything; what is left in the namespace goes as well."""
        for one in self.operators:
            one.close()
        for task in self._tasks:
            self._background.stop(task)
        self._background.run(self._upstream.close())
        for path in (self.training_jobs, self.jobs):
            self.rest.delete(path, propagationPolicy="Background")
        for pod in self.pods():
            with suppress(AssertionError):
                self.rest.delete(f"{self.core}/pods/{_name(pod)}", gracePeriodSeconds=0)

    # What a user does.

    def submit(self, name: str = NAME, **spec: Any) -> None:
        self.rest.post(
            self.training_jobs,
            {
                "apiVersion": names.API_VERSION,
                "kind": names.KIND,
                "metadata": {"name": name},
                "spec": {"modelType": "xgboost", "data": DATA, **spec},
            },
        )

    def patch(self, name: str = NAME, **spec: Any) -> None:
        self.rest.patch(f"{self.training_jobs}/{name}", {"spec": spec})

    def delete(self, name: str = NAME) -> None:
        self.rest.delete(f"{self.training_jobs}/{name}")

    # What anybody sees.

    def get(self, name: str = NAME) -> Document | None:
        return self.rest.get(f"{self.training_jobs}/{name}")

    def status(self, name: str = NAME) -> TrainingJobStatus:
        found = self.get(name)
        assert found is not None, f"{name} is gone"
        return TrainingJobStatus.model_validate(found.get("status", {}))

    def job(self, name: str = NAME) -> Document | None:
        """The Job of a TrainingJob."""
        found = self.get(name)
        uid = found["metadata"]["uid"] if found else ""
        jobs = self.rest.items(self.jobs, labelSelector=f"{names.UID_LABEL}={uid}")
        return jobs[0] if jobs else None

    def pods(self, name: str | None = None) -> list[Document]:
        selector = {"labelSelector": f"{names.NAME_LABEL}={name}"} if name else {}
        return self.rest.items(f"{self.core}/pods", **selector)

    def wait(self, what: str, probe: Callable[[], T | None], timeout: float = BOUND_SECONDS) -> T:
        """The first answer of `probe` that is not None or False; the failure has the log."""
        try:
            return wait_for(what, probe, timeout)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.log}") from None

    def until(
        self, *phases: str, name: str = NAME, timeout: float = BOUND_SECONDS
    ) -> TrainingJobStatus:
        """Wait for one of these phases; an end that is none of them fails at once."""

        def reached() -> TrainingJobStatus | None:
            status = self.status(name)
            if status.phase in phases:
                return status
            assert status.phase not in TERMINAL_PHASES, status.to_json()
            return None

        return self.wait(f"{name} is {' or '.join(phases)}", reached, timeout)

    def until_models(self, count: int, name: str = NAME) -> None:
        """Wait until so many versions are on record."""
        self.wait(f"{count} versions of {name}", lambda: len(self.status(name).models) == count)

    def until_gone(self, name: str = NAME) -> None:
        """Wait until nothing of a TrainingJob is left."""
        self.wait(f"{name} is gone", lambda: self.get(name) is None and not self.pods(name))

    @property
    def writes(self) -> list[Request]:
        """All that the operators have written, or tried to."""
        return [write for one in self.operators for write in one.proxy.writes]

    @property
    def log(self) -> str:
        """What the operators told last."""
        texts = [one.log.read_text() for one in self.operators if one.log.exists()]
        return "\n".join(line[:2000] for text in texts for line in text.splitlines()[-40:])

    # What the node does when a test says so.

    def running_pod(self, index: int = 0, name: str = NAME) -> Document:
        """The pod of an index, once its trainer runs, and not to its end."""
        label = names.label_value(name)

        def find() -> Document | None:
            for pod in self.node.pods():
                mine = pod["metadata"]["labels"].get(names.NAME_LABEL) == label
                going = "deletionTimestamp" in pod["metadata"]
                if mine and not going and nodes.index_of(pod) == index and nodes.runs(pod):
                    return pod
            return None

        return self.wait(f"pod {index} of {name} runs", find)

    def cordon(self) -> None:
        """No pod finds a node from now on."""
        self._background.run(self.node.cordon())

    def uncordon(self) -> None:
        """Pods that wait for a node, and those that come, find one."""
        self._background.run(self.node.uncordon())

    def report(self, pod: Document, status: Document) -> None:
        """The node says this of a pod."""
        self._background.run(self.node.report(pod, status))

    def remove(self, pod: Document) -> None:
        """The pod is deleted at once, as if it had never been."""
        self._background.run(self.node.remove(pod))

    def any_pod(self) -> Document:
        """A pod, once there is one."""
        return self.wait("there is a pod", lambda: next(iter(self.node.pods()), None))

    def has_gone(self, pod: Document) -> bool:
        """Whether the pod is gone for good."""
        found = self.rest.get(f"{self.core}/pods/{_name(pod)}")
        return found is None or found["metadata"]["uid"] != pod["metadata"]["uid"]

    def set_last_words(self, end: End) -> None:
        """How trainers end from now on that are told to stop."""
        self.node.last_words = end

    def end(self, end: End, index: int = 0, name: str = NAME) -> None:
        """The trainer of an index, which runs or soon will, ends."""
        pod = self.running_pod(index, name)
        self.report(pod, ended(pod, end))

    # What must hold in the end.

    def state(self) -> dict[str, Any]:
        return end_state(
            self.rest.items(self.training_jobs), self.rest.items(self.jobs), self.pods()
        )

    def told(self) -> Told:
        events = self.rest.items(f"{self.core}/events")
        return told(one for one in events if one["involvedObject"]["kind"] == names.KIND)

    def orphans(self) -> list[str]:
        return orphans(self.rest.items(self.training_jobs), self.rest.items(self.jobs), self.pods())

    def settle(self) -> None:
        """Wait until the operators have written nothing for a moment, and the Jobs have ended too.

        A success is told when its pods have succeeded, which the Job says later.
        """
        deadline = time.monotonic() + BOUND_SECONDS
        written = -1
        while written != (latest := len(self.writes)):
            assert time.monotonic() < deadline, f"the operators write and write\n{self.log}"
            written = latest
            time.sleep(QUIET_SECONDS)
        self.wait("the Jobs have ended too", lambda: not self._late_jobs())

    def _late_jobs(self) -> list[str]:
        """The Jobs of successes that have yet to end."""
        succeeded = {
            one["metadata"]["uid"]
            for one in self.rest.items(self.training_jobs)
            if one.get("status", {}).get("phase") == Phase.SUCCEEDED
        }
        return [
            _name(job)
            for job in self.rest.items(self.jobs)
            if controller(job) in succeeded and finished_condition(job) is None
        ]

    def converge(self, expected: dict[str, Any], bound: float = BOUND_SECONDS) -> None:
        """Hold the end against that of a run without faults."""
        deadline = time.monotonic() + bound
        while wrong := [*difference(expected, self.state()), *self.orphans()]:
            assert time.monotonic() < deadline, f"not within {bound} s: {wrong}\n{self.log}"
            time.sleep(0.05)
        assert self.witness.violations == []


def _name(document: Document) -> str:
    return str(document["metadata"]["name"])


async def _open(url: str, token: str) -> Upstream:
    await asyncio.sleep(0)
    return Upstream(url, token)
