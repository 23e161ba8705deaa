"""Configuration files of the components: pure functions from layout and settings to text."""

from __future__ import annotations

import json
from base64 import b64encode
from pathlib import Path
from typing import Any

import yaml

from localcluster.layout import (
    API_URL,
    CGROUP,
    CLUSTER_DOMAIN,
    NETWORK,
    NODE_IP,
    POD_CIDR,
    Layout,
)
from localcluster.settings import Settings

CNI_PLUGINS = "/usr/lib/cni"
COREDNS_READY_PORT = 10254


def to_yaml(document: dict[str, Any]) -> str:
    """One YAML document."""
    return yaml.safe_dump(document, sort_keys=False)


def containerd(layout: Layout, *, sandbox_image: str) -> str:
    """containerd's own configuration: nothing shared with the system's containerd."""
    return f"""\
version = 2
root = {_toml(layout.containerd)}
state = {_toml(layout.run / "containerd")}
oom_score = 0
disabled_plugins = [
  "io.containerd.internal.v1.opt",
  "io.containerd.snapshotter.v1.aufs",
  "io.containerd.snapshotter.v1.btrfs",
  "io.containerd.snapshotter.v1.devmapper",
  "io.containerd.snapshotter.v1.zfs",
  "io.containerd.tracing.processor.v1.otlp",
  "io.containerd.internal.v1.tracing",
]

[grpc]
  address = {_toml(layout.containerd_socket)}

[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = {_toml(sandbox_image)}
  # Without CAP_SYS_RESOURCE runc may not lower oom_score_adj, and every sandbox would fail.
  restrict_oom_score_adj = true
  netns_mounts_under_state_dir = true
  max_concurrent_downloads = 4

  [plugins."io.containerd.grpc.v1.cri".containerd]
    snapshotter = "overlayfs"
    # Layers are kept unpacked only: the registry on the same disk has them packed.
    discard_unpacked_layers = true

    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
      runtime_type = "io.containerd.runc.v2"

      [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
        Root = {_toml(layout.run / "runc")}
        SystemdCgroup = false

  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "{CNI_PLUGINS}"
    conf_dir = {_toml(layout.config / "cni")}

  [plugins."io.containerd.grpc.v1.cri".registry]
    config_path = {_toml(layout.config / "registries")}
"""


def registry_hosts(settings: Settings) -> str:
    """How containerd reaches the registry on the node: plain HTTP, over loopback only."""
    return f"""\
server = "http://{settings.registry}"

[host."http://{settings.registry}"]
  capabilities = ["pull", "resolve"]
"""


def registry(layout: Layout, settings: Settings) -> str:
    """The image registry's configuration."""
    return to_yaml(
        {
            "version": 0.1,
            "log": {"level": "warn", "accesslog": {"disabled": True}},
            "storage": {
                "filesystem": {"rootdirectory": str(layout.registry)},
                "delete": {"enabled": True},
            },
            "http": {"addr": settings.registry},
        }
    )


def cni(layout: Layout, settings: Settings) -> str:
    """The pods' network: a routed pair of devices for each pod, so iptables sees all traffic."""
    document = {
        "cniVersion": "0.4.0",
        "name": NETWORK,
        "plugins": [
            {
                "type": "ptp",
                "mtu": settings.pod_mtu,
                "ipMasq": False,
                "ipam": {
                    "type": "host-local",
                    "dataDir": str(layout.cni),
                    "ranges": [[{"subnet": POD_CIDR}]],
                    "routes": [{"dst": "0.0.0.0/0"}],
                },
            }
        ],
    }
    return json.dumps(document, indent=2) + "\n"


def kubeconfig(layout: Layout, identity: str) -> str:
    """A kubeconfig with its certificates inside, so that a copy of it works anywhere."""

    def data(file: str) -> str:
        return b64encode((layout.pki / file).read_bytes()).decode()

    return to_yaml(
        {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [
                {
                    "name": "localcluster",
                    "cluster": {"server": API_URL, "certificate-authority-data": data("ca.crt")},
                }
            ],
            "users": [
                {
                    "name": identity,
                    "user": {
                        "client-certificate-data": data(f"{identity}.crt"),
                        "client-key-data": data(f"{identity}.key"),
                    },
                }
            ],
            "contexts": [
                {
                    "name": "localcluster",
                    "context": {"cluster": "localcluster", "user": identity},
                }
            ],
            "current-context": "localcluster",
        }
    )


def kubelet(layout: Layout) -> str:
    """The kubelet's configuration."""
    return to_yaml(
        {
            "apiVersion": "kubelet.config.k8s.io/v1beta1",
            "kind": "KubeletConfiguration",
            "address": NODE_IP,
            "authentication": {
                "anonymous": {"enabled": False},
                "webhook": {"enabled": True, "cacheTTL": "2m"},
                "x509": {"clientCAFile": str(layout.pki / "ca.crt")},
            },
            "authorization": {"mode": "Webhook"},
            "tlsCertFile": str(layout.pki / "kubelet-server.crt"),
            "tlsPrivateKeyFile": str(layout.pki / "kubelet-server.key"),
            "containerRuntimeEndpoint": f"unix://{layout.containerd_socket}",
            "cgroupDriver": "cgroupfs",
            "cgroupRoot": f"/{CGROUP}",
            "failCgroupV1": False,
            "failSwapOn": False,
            "oomScoreAdj": 0,
            "clusterDNS": [NODE_IP],
            "clusterDomain": CLUSTER_DOMAIN,
            "podLogsDir": str(layout.pod_logs),
            "volumePluginDir": str(layout.kubelet / "volume-plugins"),
            "serializeImagePulls": False,
            "registryPullQPS": 0,
            "maxPods": 200,
            "evictionHard": {
                "memory.available": "100Mi",
                "nodefs.available": "1%",
                "nodefs.inodesFree": "1%",
                "imagefs.available": "1%",
            },
            "imageGCHighThresholdPercent": 100,
            "imageGCLowThresholdPercent": 99,
            "enableServer": True,
        }
    )


def kube_proxy(layout: Layout) -> str:
    """kube-proxy's configuration; no limit or sysctl of the machine is touched."""
    return to_yaml(
        {
            "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
            "kind": "KubeProxyConfiguration",
            "clientConnection": {"kubeconfig": str(layout.config / "proxy.kubeconfig")},
            "mode": "iptables",
            "clusterCIDR": POD_CIDR,
            "hostnameOverride": "local",
            "healthzBindAddress": "127.0.0.1:10256",
            "metricsBindAddress": "127.0.0.1:10249",
            "nodePortAddresses": [f"{NODE_IP}/32"],
            "oomScoreAdj": 0,
            "iptables": {"localhostNodePorts": False},
            "conntrack": {
                "maxPerCore": 0,
                "min": 0,
                "tcpEstablishedTimeout": "0s",
                "tcpCloseWaitTimeout": "0s",
            },
        }
    )


def corefile(layout: Layout, *, upstream: bool) -> str:
    """CoreDNS: names of the cluster, and with `upstream` the host's own resolvers for the rest."""
    forward = "    forward . /etc/resolv.conf\n" if upstream else ""
    return f"""\
.:53 {{
    bind {NODE_IP}
    errors
    ready 127.0.0.1:{COREDNS_READY_PORT}
    kubernetes {CLUSTER_DOMAIN} in-addr.arpa ip6.arpa {{
        kubeconfig {layout.config / "coredns.kubeconfig"} localcluster
        pods insecure
        fallthrough in-addr.arpa ip6.arpa
        ttl 5
    }}
{forward}    cache 30 {{
        disable success {CLUSTER_DOMAIN}
        disable denial {CLUSTER_DOMAIN}
    }}
}}
"""


def resolvers(resolv_conf: str) -> list[str]:
    """Addresses of the name servers in a resolv.conf."""
    lines = (line.split() for line in resolv_conf.splitlines())
    return [words[1] for words in lines if len(words) > 1 and words[0] == "nameserver"]


def _toml(path: Path | str) -> str:
    # A JSON string is a valid TOML basic string.
    return json.dumps(str(path))
