"""A real control plane without nodes: etcd, kube-apiserver, and the controllers of Jobs and such.

No pod ever runs here: a test plays the kubelet by writing the pods' status.
"""

import contextlib
import secrets
import socket
import ssl
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, TypeVar

import httpx
import yaml
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from localcluster.nodebinary import node_binary

T = TypeVar("T")


def wait_for(what: str, probe: Callable[[], T | None], timeout: float = 30) -> T:
    """The first answer of `probe` that is not None or False; fails after `timeout` seconds."""
    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline:
        if answer := probe():
            return answer
        time.sleep(0.05)
    raise AssertionError(f"{what}: not within {timeout} s")


def free_ports(count: int) -> list[int]:
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]


@contextmanager
def program(command: list[str], log: Path, **options: Any) -> Iterator["subprocess.Popen[bytes]"]:
    """A program that runs until the block ends."""
    with log.open("ab") as output:
        process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT, **options)
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _service_account_keys(folder: Path) -> tuple[Path, Path]:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    private, public = folder / "sa.key", folder / "sa.pub"
    private.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.TraditionalOpenSSL,
            serialization.NoEncryption(),
        )
    )
    public.write_bytes(
        key.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
    )
    return private, public


@contextmanager
def control_plane(folder: Path) -> Iterator[Path]:
    """Run the control plane; yields the administrator's kubeconfig."""
    binary = str(node_binary(folder / "go-build.log"))
    etcd, peer, api = free_ports(3)
    private, public = _service_account_keys(folder)
    token = secrets.token_hex()
    (folder / "tokens.csv").write_text(f"{token},admin,admin,system:masters\n")
    server = f"https://127.0.0.1:{api}"
    kubeconfig = folder / "kubeconfig"
    kubeconfig.write_text(
        yaml.safe_dump(
            {
                "apiVersion": "v1",
                "kind": "Config",
                "clusters": [
                    {
                        "name": "test",
                        "cluster": {"server": server, "insecure-skip-tls-verify": True},
                    }
                ],
                "users": [{"name": "admin", "user": {"token": token}}],
                "contexts": [{"name": "test", "context": {"cluster": "test", "user": "admin"}}],
                "current-context": "test",
            }
        )
    )
    with ExitStack() as stack:
        stack.enter_context(
            program(
                [
                    binary,
                    "etcd",
                    f"--data-dir={folder / 'etcd'}",
                    f"--listen-client-urls=http://127.0.0.1:{etcd}",
                    f"--advertise-client-urls=http://127.0.0.1:{etcd}",
                    f"--listen-peer-urls=http://127.0.0.1:{peer}",
                    f"--initial-advertise-peer-urls=http://127.0.0.1:{peer}",
                    f"--initial-cluster=default=http://127.0.0.1:{peer}",
                    "--unsafe-no-fsync",
                    "--log-level=error",
                ],
                folder / "etcd.log",
            )
        )
        stack.enter_context(
            program(
                [
                    binary,
                    "kube-apiserver",
                    f"--etcd-servers=http://127.0.0.1:{etcd}",
                    "--bind-address=127.0.0.1",
                    f"--secure-port={api}",
                    f"--cert-dir={folder / 'certs'}",
                    f"--token-auth-file={folder / 'tokens.csv'}",
                    "--authorization-mode=RBAC",
                    "--service-account-issuer=https://kubernetes.default.svc",
                    f"--service-account-key-file={public}",
                    f"--service-account-signing-key-file={private}",
                    "--service-cluster-ip-range=10.97.0.0/24",
                    "--endpoint-reconciler-type=none",
                ],
                folder / "kube-apiserver.log",
            )
        )
        with httpx.Client(base_url=server, verify=False, timeout=5) as probe:

            def ready() -> bool:
                with contextlib.suppress(httpx.HTTPError):
                    headers = {"Authorization": f"Bearer {token}"}
                    return probe.get("/readyz", headers=headers).status_code == 200
                return False

            wait_for("kube-apiserver is ready", ready, timeout=120)
        stack.enter_context(
            program(
                [
                    binary,
                    "kube-controller-manager",
                    f"--kubeconfig={kubeconfig}",
                    "--controllers=job-controller,garbage-collector-controller,resourcequota-controller",
                    "--leader-elect=false",
                    "--secure-port=0",
                ],
                folder / "kube-controller-manager.log",
            )
        )
        yield kubeconfig


class Rest:
    """The administrator's requests to the control plane."""

    def __init__(self, kubeconfig: Path) -> None:
        document = yaml.safe_load(kubeconfig.read_text())
        token = document["users"][0]["user"]["token"]
        unverified = ssl.create_default_context()
        unverified.check_hostname = False
        unverified.verify_mode = ssl.CERT_NONE
        self._client = httpx.Client(
            base_url=document["clusters"][0]["cluster"]["server"],
            headers={"Authorization": f"Bearer {token}"},
            verify=unverified,
            timeout=30,
        )

    def close(self) -> None:
        self._client.close()

    def _answer(self, response: httpx.Response) -> dict[str, Any]:
        assert response.is_success, response.text
        answer: dict[str, Any] = response.json()
        return answer

    def serves(self, path: str) -> bool:
        return self._client.get(path).is_success

    def get(self, path: str, **query: str) -> dict[str, Any] | None:
        response = self._client.get(path, params=query)
        return None if response.status_code == 404 else self._answer(response)

    def items(self, path: str, **query: str) -> list[dict[str, Any]]:
        found = self.get(path, **query)
        return list(found["items"]) if found else []

    def post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        return self._answer(self._client.post(path, json=body))

    def patch(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        headers = {"Content-Type": "application/merge-patch+json"}
        return self._answer(self._client.patch(path, json=body, headers=headers))

    def delete(self, path: str, **options: Any) -> None:
        self._answer(self._client.request("DELETE", path, json=options))
