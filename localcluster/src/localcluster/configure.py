"""Writing everything the components read when they start."""

from __future__ import annotations

from pathlib import Path

from localcluster import buildah, render
from localcluster.files import write_atomically
from localcluster.layout import Layout
from localcluster.pki import ensure_pki
from localcluster.settings import Settings

KUBECONFIG_USERS = ("controller-manager", "scheduler", "proxy", "kubelet", "coredns")


def write_configuration(layout: Layout, settings: Settings) -> None:
    """Make folders, certificates and configuration files; all may be there already."""
    layout.state.mkdir(mode=0o700, parents=True, exist_ok=True)
    for folder in (layout.logs, layout.run, layout.volumes, layout.etcd, layout.config):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    layout.etcd.chmod(0o700)
    ensure_pki(layout.pki)
    hosts = layout.config / "registries" / settings.registry / "hosts.toml"
    upstream = bool(render.resolvers(Path("/etc/resolv.conf").read_text()))
    sandbox = f"{settings.registry}/{buildah.pause_name().removeprefix('localhost/')}"
    for path, content in {
        layout.config / "containerd.toml": render.containerd(layout, sandbox_image=sandbox),
        layout.config / "registry.yaml": render.registry(layout, settings),
        layout.config / "cni" / "10-localcluster.conflist": render.cni(layout, settings),
        layout.config / "kubelet.yaml": render.kubelet(layout),
        layout.config / "kube-proxy.yaml": render.kube_proxy(layout),
        layout.config / "Corefile": render.corefile(layout, upstream=upstream),
        hosts: render.registry_hosts(settings),
    }.items():
        write_atomically(path, content)
    for user in KUBECONFIG_USERS:
        path = layout.config / f"{user}.kubeconfig"
        write_atomically(path, render.kubeconfig(layout, user), mode=0o600)
    write_atomically(layout.kubeconfig, render.kubeconfig(layout, "admin"), mode=0o600)
