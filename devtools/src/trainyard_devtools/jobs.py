"""TrainingJob manifests."""

from typing import Any

from trainyard_schema import names

from trainyard_devtools.churn import ID, TARGET
from trainyard_devtools.repo import BUCKET

CHURN_KEY = "datasets/churn.csv"
CHURN_DATA = {"uri": f"s3://{BUCKET}/{CHURN_KEY}", "target": TARGET, "exclude": [ID]}
"""The generated table, where the demo uploads it."""


def training_job(name: str, **spec: Any) -> dict[str, Any]:
    """A TrainingJob: XGBoost on the generated table, unless `spec` says otherwise."""
    return {
        "apiVersion": names.API_VERSION,
        "kind": names.KIND,
        "metadata": {"name": name},
        "spec": {"modelType": "xgboost", "data": CHURN_DATA, **spec},
    }
