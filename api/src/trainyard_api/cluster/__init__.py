"""The Kubernetes API: requests, errors, and what the cluster holds, kept up to date by watches."""

from trainyard_api.cluster.client import Cluster
from trainyard_api.cluster.errors import (
    AlreadyExistsError,
    ClusterError,
    ConflictError,
    ExpiredError,
    NotFoundError,
    RefusedError,
    UnavailableError,
)
from trainyard_api.cluster.kinds import MODEL, TRAINING_JOB, Document, Kind

__all__ = [
    "MODEL",
    "TRAINING_JOB",
    "AlreadyExistsError",
    "Cluster",
    "ClusterError",
    "ConflictError",
    "Document",
    "ExpiredError",
    "Kind",
    "NotFoundError",
    "RefusedError",
    "UnavailableError",
]
