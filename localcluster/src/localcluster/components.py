"""What runs on the node: each component's command, what it waits for, how it shows it is ready."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from localcluster.layout import (
    API_PORT,
    API_URL,
    CLUSTER_DOMAIN,
    NODE_IP,
    NODE_NAME,
    POD_CIDR,
    SERVICE_CIDR,
    Layout,
)
from localcluster.pki import FRONT_PROXY
from localcluster.render import COREDNS_READY_PORT
from localcluster.settings import Settings


@dataclass(frozen=True)
class Component:
    """One supervised process."""

    name: str
    command: tuple[str, ...]
    ready: str
    """URL that answers 200, `unix:PATH` or `tcp:ADDRESS:PORT` that accepts a connection."""
    after: tuple[str, ...] = ()
    """Components that must have been ready once before this one starts."""


def components(layout: Layout, settings: Settings) -> tuple[Component, ...]:
    """All components of a cluster, each after what it depends on."""
    return (
        _etcd(layout),
        _containerd(layout),
        _registry(layout, settings),
        _apiserver(layout),
        _controller_manager(layout),
        _scheduler(layout),
        _kubelet(layout),
        _proxy(layout),
        _coredns(layout),
        *_forwarders(layout, settings),
    )


def _etcd(layout: Layout) -> Component:
    client, peer = "https://127.0.0.1:2379", "https://127.0.0.1:2380"
    ca, cert, key = (str(layout.pki / f) for f in ("ca.crt", "etcd.crt", "etcd.key"))
    return Component(
        "etcd",
        (
            _program(layout, "etcd"),
            f"--name={NODE_NAME}",
            f"--data-dir={layout.etcd}",
            f"--listen-client-urls={client}",
            f"--advertise-client-urls={client}",
            f"--listen-peer-urls={peer}",
            f"--initial-advertise-peer-urls={peer}",
            f"--initial-cluster={NODE_NAME}={peer}",
            f"--cert-file={cert}",
            f"--key-file={key}",
            f"--trusted-ca-file={ca}",
            "--client-cert-auth",
            f"--peer-cert-file={cert}",
            f"--peer-key-file={key}",
            f"--peer-trusted-ca-file={ca}",
            "--peer-client-cert-auth",
            "--unsafe-no-fsync",
            "--log-level=warn",
        ),
        ready=f"{client}/health",
    )


def _containerd(layout: Layout) -> Component:
    return Component(
        "containerd",
        ("containerd", f"--config={layout.config / 'containerd.toml'}", "--log-level=warn"),
        ready=f"unix:{layout.containerd_socket}",
    )


def _registry(layout: Layout, settings: Settings) -> Component:
    return Component(
        "registry",
        ("docker-registry", "serve", str(layout.config / "registry.yaml")),
        ready=f"http://{settings.registry}/v2/",
    )


def _apiserver(layout: Layout) -> Component:
    pki = layout.pki
    return Component(
        "kube-apiserver",
        (
            _program(layout, "kube-apiserver"),
            f"--advertise-address={NODE_IP}",
            f"--bind-address={NODE_IP}",
            f"--secure-port={API_PORT}",
            "--authorization-mode=Node,RBAC",
            "--enable-admission-plugins=NodeRestriction",
            f"--client-ca-file={pki / 'ca.crt'}",
            f"--tls-cert-file={pki / 'apiserver.crt'}",
            f"--tls-private-key-file={pki / 'apiserver.key'}",
            "--etcd-servers=https://127.0.0.1:2379",
            f"--etcd-cafile={pki / 'ca.crt'}",
            f"--etcd-certfile={pki / 'etcd-client.crt'}",
            f"--etcd-keyfile={pki / 'etcd-client.key'}",
            f"--kubelet-certificate-authority={pki / 'ca.crt'}",
            f"--kubelet-client-certificate={pki / 'kubelet-client.crt'}",
            f"--kubelet-client-key={pki / 'kubelet-client.key'}",
            "--kubelet-preferred-address-types=InternalIP",
            f"--proxy-client-cert-file={pki / 'front-proxy.crt'}",
            f"--proxy-client-key-file={pki / 'front-proxy.key'}",
            f"--requestheader-client-ca-file={pki / 'ca.crt'}",
            f"--requestheader-allowed-names={FRONT_PROXY}",
            "--requestheader-username-headers=X-Remote-User",
            "--requestheader-group-headers=X-Remote-Group",
            "--requestheader-extra-headers-prefix=X-Remote-Extra-",
            f"--service-account-issuer=https://kubernetes.default.svc.{CLUSTER_DOMAIN}",
            f"--service-account-key-file={pki / 'service-accounts.pub'}",
            f"--service-account-signing-key-file={pki / 'service-accounts.key'}",
            f"--service-cluster-ip-range={SERVICE_CIDR}",
        ),
        ready=f"{API_URL}/readyz",
        after=("etcd",),
    )


def _controller_manager(layout: Layout) -> Component:
    kubeconfig = layout.config / "controller-manager.kubeconfig"
    return Component(
        "kube-controller-manager",
        (
            _program(layout, "kube-controller-manager"),
            "--bind-address=127.0.0.1",
            f"--kubeconfig={kubeconfig}",
            f"--authentication-kubeconfig={kubeconfig}",
            f"--authorization-kubeconfig={kubeconfig}",
            "--authentication-tolerate-lookup-failure=true",
            "--leader-elect=false",
            "--use-service-account-credentials=true",
            f"--cluster-cidr={POD_CIDR}",
            f"--service-cluster-ip-range={SERVICE_CIDR}",
            f"--root-ca-file={layout.pki / 'ca.crt'}",
            f"--service-account-private-key-file={layout.pki / 'service-accounts.key'}",
            f"--cluster-signing-cert-file={layout.pki / 'ca.crt'}",
            f"--cluster-signing-key-file={layout.pki / 'ca.key'}",
        ),
        ready="https://127.0.0.1:10257/healthz",
        after=("kube-apiserver",),
    )


def _scheduler(layout: Layout) -> Component:
    kubeconfig = layout.config / "scheduler.kubeconfig"
    return Component(
        "kube-scheduler",
        (
            _program(layout, "kube-scheduler"),
            "--bind-address=127.0.0.1",
            f"--kubeconfig={kubeconfig}",
            f"--authentication-kubeconfig={kubeconfig}",
            f"--authorization-kubeconfig={kubeconfig}",
            "--authentication-tolerate-lookup-failure=true",
            "--leader-elect=false",
        ),
        ready="https://127.0.0.1:10259/healthz",
        after=("kube-apiserver",),
    )


def _kubelet(layout: Layout) -> Component:
    return Component(
        "kubelet",
        (
            _program(layout, "kubelet"),
            f"--config={layout.config / 'kubelet.yaml'}",
            f"--kubeconfig={layout.config / 'kubelet.kubeconfig'}",
            f"--root-dir={layout.kubelet}",
            f"--cert-dir={layout.kubelet / 'pki'}",
            f"--hostname-override={NODE_NAME}",
            f"--node-ip={NODE_IP}",
        ),
        ready="http://127.0.0.1:10248/healthz",
        after=("kube-apiserver", "containerd"),
    )


def _proxy(layout: Layout) -> Component:
    return Component(
        "kube-proxy",
        (_program(layout, "kube-proxy"), f"--config={layout.config / 'kube-proxy.yaml'}"),
        ready="http://127.0.0.1:10256/livez",
        after=("kube-apiserver",),
    )


def _coredns(layout: Layout) -> Component:
    return Component(
        "coredns",
        (_program(layout, "coredns"), "-conf", str(layout.config / "Corefile")),
        ready=f"http://127.0.0.1:{COREDNS_READY_PORT}/ready",
        after=("kube-apiserver",),
    )


def _forwarders(layout: Layout, settings: Settings) -> tuple[Component, ...]:
    return tuple(
        Component(
            f"forward-{publish.port}",
            (
                _program(layout, "forward"),
                f"{publish.host}:{publish.port}",
                f"{NODE_IP}:{publish.node_port}",
            ),
            ready=f"tcp:{publish.host}:{publish.port}",
        )
        for publish in settings.publish
    )


def _program(layout: Layout, name: str) -> str:
    return str(Path(layout.bin) / name)
