"""The trainer's defaults beside plain scikit-learn, in the image that trains."""

import json

from trainyard_schema import StorageConfig

from trainyard_devtools import demo
from trainyard_devtools.kube import S3_PORT, S3_SERVICE, Kube
from trainyard_devtools.pods import run_in_pod
from trainyard_devtools.repo import BUCKET, ROOT
from trainyard_devtools.steps import StepError

_SCRIPT = "/opt/bench/quality.py"
_TELCO = ROOT.parent / "shared" / "data" / "telco-churn.csv"
_TIMEOUT_SECONDS = 1800


def _telco_arguments(kube: Kube) -> list[str]:
    """Uploads the churn table and names it to the script; nothing where the table is not there."""
    if not _TELCO.is_file():
        return []
    dataset = demo.Dataset(_TELCO, "Churn")
    demo.upload(kube, dataset)
    uri = f"s3://{BUCKET}/{dataset.key}"
    return ["--table", uri, "--target", dataset.target, "--exclude", "customerID"]


def measure_quality(kube: Kube, image: str) -> str:
    """The table that `trainer-image/bench/quality.py` prints, with one JSON object on its last
    line, in the stage `bench` of the trainer's image. Raises StepError if the script fails.
    """
    log = run_in_pod(
        kube,
        image,
        ["python", _SCRIPT, *_telco_arguments(kube)],
        environment={
            "AWS_ENDPOINT_URL_S3": f"http://{S3_SERVICE}:{S3_PORT}",
            "AWS_DEFAULT_REGION": StorageConfig(bucket=BUCKET).region,
            "OMP_NUM_THREADS": "1",
        },
        limits={"cpu": "1", "memory": "2Gi"},
        timeout_seconds=_TIMEOUT_SECONDS,
    ).rstrip()
    try:
        json.loads(log.rpartition("\n")[2])
    except ValueError:
        raise StepError(f"the quality benchmark ended without figures:\n{log}") from None
    return log
