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
from localcluster.supervisor import ComponentState

__all__ = [
    "BuiltImage",
    "Cluster",
    "ClusterAliveError",
    "CommandFailedError",
    "ComponentState",
    "LocalclusterError",
    "NotRunningError",
    "Publish",
]
