"""Score rows with a saved version, in a fresh pod of the trainer image."""

import io
import secrets

import numpy as np
import pandas as pd
from trainyard_devtools.kube import S3_PORT, S3_SERVICE, Kube
from trainyard_devtools.pods import run_in_pod
from trainyard_schema import ModelVersion

from .store import put_csv


def score(kube: Kube, model: ModelVersion | str, rows: pd.DataFrame) -> np.ndarray:
    """What a version, or the model of a name, predicts for the rows: shape (rows, classes)."""
    uri = put_csv(kube, f"tests/score-{secrets.token_hex(4)}.csv", rows)
    which = ["--model", model] if isinstance(model, str) else ["--uri", model.uri]
    log = trainyard(kube, "predict", *which, "--input", uri)
    assert log.startswith("probability_"), log
    return pd.read_csv(io.StringIO(log)).filter(like="probability_").to_numpy()


def trainyard(kube: Kube, *words: str) -> str:
    """What a command of `trainyard-trainer` prints, in a fresh pod of the trainer image."""
    return run_in_pod(
        kube,
        kube.trainer_image(),
        ["trainyard-trainer", *words],
        environment={"AWS_ENDPOINT_URL": f"http://{S3_SERVICE}:{S3_PORT}"},
        limits={"cpu": "1", "memory": "1Gi"},
        timeout_seconds=120,
    )
