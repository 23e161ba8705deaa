"""Where everything lives: addresses of the cluster, paths of one state folder."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

NODE_NAME = "local"
NODE_IP = "10.243.0.1"
POD_CIDR = "10.244.0.0/16"
SERVICE_CIDR = "10.96.0.0/16"
API_SERVICE_IP = "10.96.0.1"
CLUSTER_DOMAIN = "cluster.local"
BRIDGE = "localcluster0"
CGROUP = "localcluster"
"""Parent of every pod's cgroup, in each hierarchy."""
NETWORK = "localcluster"
"""Name of the CNI network."""
API_PORT = 6443
API_URL = f"https://{NODE_IP}:{API_PORT}"
"""The API server listens on the node's own address only: nothing outside the machine reaches it."""
STATE_VARIABLE = "LOCALCLUSTER_STATE"
"""Environment variable by which every process of a cluster is recognised."""
LONGEST_STATE_PATH = 70
"""A UNIX socket's path has 107 characters at most, and containerd adds 36 to the state folder's."""


def cache_root() -> Path:
    """The user's cache folder for expensive results, shared by every cluster of the user."""
    base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(base) / "localcluster"


@dataclass(frozen=True)
class Layout:
    """Paths inside one state folder."""

    state: Path

    @property
    def settings(self) -> Path:
        """What the running supervisor was started with."""
        return self.state / "settings.json"

    @property
    def supervisor(self) -> Path:
        """The supervisor's identity and its components' states."""
        return self.state / "supervisor.json"

    @property
    def logs(self) -> Path:
        """One file per component and per step of `up`."""
        return self.state / "logs"

    @property
    def pki(self) -> Path:
        """Keys and certificates."""
        return self.state / "pki"

    @property
    def config(self) -> Path:
        """Rendered configuration of the components."""
        return self.state / "config"

    @property
    def bin(self) -> Path:
        """Links named after components, to the one binary."""
        return self.state / "bin"

    @property
    def etcd(self) -> Path:
        """etcd's data."""
        return self.state / "etcd"

    @property
    def containerd(self) -> Path:
        """containerd's images and snapshots."""
        return self.state / "containerd"

    @property
    def run(self) -> Path:
        """Sockets and the state of running containers."""
        return self.state / "run"

    @property
    def containerd_socket(self) -> Path:
        """containerd's socket."""
        return self.run / "containerd.sock"

    @property
    def kubelet(self) -> Path:
        """The kubelet's root folder, with the pods' volumes."""
        return self.state / "kubelet"

    @property
    def pod_logs(self) -> Path:
        """Logs of the pods' containers."""
        return self.state / "pod-logs"

    @property
    def registry(self) -> Path:
        """The image registry's blobs."""
        return self.state / "registry"

    @property
    def volumes(self) -> Path:
        """Data of the persistent volumes, a folder each."""
        return self.state / "volumes"

    @property
    def cni(self) -> Path:
        """Addresses given to pods."""
        return self.state / "cni"

    @property
    def kubeconfig(self) -> Path:
        """The administrator's kubeconfig."""
        return self.state / "kubeconfig"

    def log(self, name: str) -> Path:
        """Log file of a component or a step."""
        return self.logs / f"{name}.log"
