"""Score rows with a saved version, in a fresh pod of the trainer image."""

import io
import json
import secrets

import numpy as np
import pandas as pd
from trainyard_devtools.kube import S3_PORT, S3_SERVICE, Kube
from trainyard_devtools.pods import run_in_pod
from trainyard_devtools.repo import BUCKET
from trainyard_schema import ModelVersion

_SCRIPT = """
import io, json, os, sys, tempfile
from pathlib import Path
import boto3, pyarrow.csv
from trainyard_trainer.scoring import load

s3 = boto3.client("s3", endpoint_url=os.environ["ENDPOINT"], region_name="us-east-1")
folder = Path(tempfile.mkdtemp())
bucket, prefix = os.environ["BUCKET"], os.environ["PREFIX"]
for item in s3.list_objects_v2(Bucket=bucket, Prefix=prefix)["Contents"]:
    s3.download_file(bucket, item["Key"], str(folder / Path(item["Key"]).name))
rows = s3.get_object(Bucket=bucket, Key=os.environ["ROWS"])["Body"].read()
print(json.dumps(load(folder).predict(pyarrow.csv.read_csv(io.BytesIO(rows))).tolist()))
"""


def score(kube: Kube, model: ModelVersion, rows: pd.DataFrame) -> np.ndarray:
    """What the version predicts for the rows: shape (rows, classes)."""
    key = f"tests/score-{secrets.token_hex(4)}.csv"
    buffer = io.StringIO()
    rows.to_csv(buffer, index=False)
    with kube.s3() as s3:
        s3.put_object(Bucket=BUCKET, Key=key, Body=buffer.getvalue().encode())
    log = run_in_pod(
        kube,
        kube.trainer_image(),
        ["python", "-c", _SCRIPT],
        environment={
            "ENDPOINT": f"http://{S3_SERVICE}:{S3_PORT}",
            "BUCKET": BUCKET,
            "PREFIX": model.uri.removeprefix(f"s3://{BUCKET}/"),
            "ROWS": key,
        },
        limits={"cpu": "1", "memory": "1Gi"},
        timeout_seconds=120,
    )
    assert log.strip().startswith("[["), log
    return np.asarray(json.loads(log))
