"""How many requests of the operator change something over the life of one TrainingJob."""

import secrets

import httpx
from prometheus_client.parser import text_string_to_metric_families
from trainyard_schema import TERMINAL_PHASES, Phase

from trainyard_devtools.jobs import training_job
from trainyard_devtools.kube import Kube
from trainyard_devtools.repo import RELEASE
from trainyard_devtools.steps import StepError

COUNT = 3
_METRICS_PORT = 8080


def _writes(kube: Kube) -> float:
    with kube.forward(f"deployment/{RELEASE}-controller", _METRICS_PORT) as port:
        text = httpx.get(f"http://127.0.0.1:{port}/metrics").text
    return sum(
        sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name == "trainyard_api_writes_total"
    )


def writes_per_job(kube: Kube) -> float:
    """Mean over a few short trainings that succeed, one after another."""
    before = _writes(kube)
    for _ in range(COUNT):
        name = f"bench-{secrets.token_hex(4)}"
        kube.create_training_job(
            training_job(name, model="bench", hyperparameters={"n_estimators": 5})
        )
        for job in kube.follow(name, timeout=120):
            phase = (job.get("status") or {}).get("phase")
            if phase in TERMINAL_PHASES:
                break
        if phase != Phase.SUCCEEDED:
            raise StepError(f"TrainingJob/{name} ended {phase}: kubectl describe tj {name}")
    total = _writes(kube) - before
    return round(total / COUNT, 2)
