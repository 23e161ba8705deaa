"""Ports that a cluster listens on."""

from __future__ import annotations

import socket

from localcluster.commands import run
from localcluster.errors import LocalclusterError
from localcluster.settings import Settings

FIXED_PORTS = {
    2379: "etcd",
    2380: "etcd",
    10248: "kubelet",
    10249: "kube-proxy",
    10254: "coredns",
    10256: "kube-proxy",
    10257: "kube-controller-manager",
    10259: "kube-scheduler",
}
"""Ports on 127.0.0.1. Those on the node's own address are free, as the address is new."""


def require_free_ports(settings: Settings) -> None:
    """Make sure that nothing else listens where the components will.

    Raises:
        LocalclusterError: a port is taken; the message says by what.
    """
    wanted = [("127.0.0.1", port, name) for port, name in FIXED_PORTS.items()]
    wanted.append(("127.0.0.1", settings.registry_port, "the registry (--registry-port)"))
    wanted += [(p.host, p.port, f"--publish {p}") for p in settings.publish]
    for host, port, name in wanted:
        if not _free(host, port):
            holder = run(("ss", "-Hltnp", f"sport = :{port}")).strip()
            raise LocalclusterError(
                f"port {host}:{port}, needed by {name}, is in use:\n    {holder}\n"
                "Stop that program, or choose another port where there is an option for it."
            )


def _free(host: str, port: int) -> bool:
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((host, port))
            listener.listen()
        except OSError:
            return False
    return True
