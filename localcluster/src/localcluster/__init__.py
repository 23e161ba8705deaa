"""A real single-node Kubernetes for Linux machines without Docker."""

from localcluster.buildah import BuiltImage
from localcluster.cluster import Cluster
from localcluster.errors import (
    ClusterAliveError,
    CommandFailedError,
    LocalclusterError,
    NotRunningError,
)
from localcluster.settings import Publish

__all__ = [
    "BuiltImage",
    "Cluster",
    "ClusterAliveError",
    "CommandFailedError",
    "LocalclusterError",
    "NotRunningError",
    "Publish",
]
