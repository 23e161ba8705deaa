"""`make bench`: the figures that Trainyard is held to, measured on the cluster of this clone."""

import json
import statistics
import subprocess
import time
from typing import Any

from trainyard_devtools.bench.submit import latencies
from trainyard_devtools.bench.trainer import measure_trainer
from trainyard_devtools.bench.writes import writes_per_job
from trainyard_devtools.images import IMAGES
from trainyard_devtools.kube import Kube
from trainyard_devtools.repo import ROOT
from trainyard_devtools.steps import console, step


def percentile(values: list[float], share: float) -> float:
    """The smallest value that at least `share` of the values do not exceed (nearest rank)."""
    ordered = sorted(values)
    return ordered[max(0, -int(-share * len(ordered) // 1) - 1)]


def submit_to_pod(kube: Kube) -> dict[str, float]:
    """Milliseconds from a TrainingJob's creation to its pod's, beside the same for bare Jobs."""
    ours, bare = latencies(kube)
    return {
        "p50": round(statistics.median(ours) * 1000, 1),
        "p99": round(percentile(ours, 0.99) * 1000, 1),
        "bare_p50": round(statistics.median(bare) * 1000, 1),
        "ratio_to_bare_job": round(statistics.median(ours) / statistics.median(bare), 2),
    }


def image_sizes(kube: Kube) -> dict[str, float]:
    """Megabytes of each image as the node's kubelet counts them: its layers as they were pulled."""
    nodes = json.loads(kube.kubectl("get", "nodes", "-o", "json"))["items"]
    images = [image for node in nodes for image in node["status"].get("images", [])]
    return {
        ours.name: round(image["sizeBytes"] / 1e6, 1)
        for ours in IMAGES
        for image in images
        if any(f"{ours.repository}:" in name for name in image["names"])
    }


def warm_demo() -> float:
    """Seconds of a `make demo` when everything is there already."""
    started = time.monotonic()
    subprocess.run(["make", "demo"], cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    return round(time.monotonic() - started, 1)


def bench(kube: Kube, trainer_bench: str) -> dict[str, Any]:
    """Measure everything; the result is what `make bench` prints on its last line.

    `trainer_bench` is the image in which the trainer and the plain script run.
    """
    figures: dict[str, Any] = {}
    with step("Submit 50 TrainingJobs and 50 bare Jobs in turn, one a second"):
        figures["submit_to_pod_ms"] = submit_to_pod(kube)
    with step("Count the operator's writes over the life of a TrainingJob"):
        figures["api_writes_per_job"] = writes_per_job(kube)
    with step("Run the trainer and the plain script in turn, each model type"):
        figures.update(measure_trainer(kube, trainer_bench))
    figures["image_size_mb"] = image_sizes(kube)
    with step("Run make demo again"):
        figures["warm_demo_s"] = warm_demo()
    return figures


def report(figures: dict[str, Any]) -> None:
    """Print the figures one by one, then all of them as one JSON object on the last line."""
    for name, value in figures.items():
        console.print(f"{name:<24} {value}", markup=False)
    print(json.dumps(figures))  # noqa: T201 - plain, whatever the terminal's width
