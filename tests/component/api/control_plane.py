"""etcd and kube-apiserver alone: all of Kubernetes that the Train API talks to."""

import csv
import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import yaml
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

ADMIN, API = "admin", "api"
_START_SECONDS = 90
_STOP_SECONDS = 20


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


def wait_until_ok(client: httpx.Client, path: str, process: subprocess.Popen[bytes]) -> None:
    """Until `path` answers 200. Fails when the process ends or the time is up."""
    deadline = time.monotonic() + _START_SECONDS
    last = "no answer"
    while time.monotonic() < deadline:
        assert process.poll() is None, f"ended with {process.returncode}"
        try:
            answer = client.get(path)
        except httpx.TransportError as error:
            last = repr(error)
        else:
            if answer.status_code == 200:
                return
            last = answer.text
        time.sleep(0.1)
    raise AssertionError(f"{path} did not become ready: {last}")


@contextmanager
def running(
    command: list[str], log: Path, environment: dict[str, str] | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """A process that is ended with the block, politely first."""
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, stdout=output, stderr=subprocess.STDOUT, env=environment
        )
        try:
            yield process
        finally:
            if process.poll() is None:
                process.send_signal(signal.SIGCONT)
                process.terminate()
                try:
                    process.wait(_STOP_SECONDS)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()


@dataclass(frozen=True)
class ControlPlane:
    """A running API server. `admin` may do everything; what `api` may is up to the tests."""

    apiserver: subprocess.Popen[bytes]
    admin: httpx.Client
    kubeconfig: Path
    """Of the user `api`."""

    def create(self, path: str, manifest: dict[str, Any]) -> dict[str, Any]:
        answer = self.admin.post(path, json=manifest)
        assert answer.is_success, answer.text
        document: dict[str, Any] = answer.json()
        return document

    @contextmanager
    def paused(self) -> Iterator[None]:
        """The API server accepts connections and answers nothing."""
        self.apiserver.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self.apiserver.send_signal(signal.SIGCONT)


@contextmanager
def control_plane(binary: Path, folder: Path) -> Iterator[ControlPlane]:
    """Start both; stop both."""
    with ExitStack() as stack:
        etcd_url = _start_etcd(stack, binary, folder)
        port = free_port()
        url = f"https://127.0.0.1:{port}"
        tokens = {ADMIN: os.urandom(16).hex(), API: os.urandom(16).hex()}
        process = stack.enter_context(
            running(
                _apiserver(binary, folder, etcd_url, port, tokens), folder / "kube-apiserver.log"
            )
        )
        admin = stack.enter_context(
            httpx.Client(
                base_url=url,
                verify=False,  # its certificate is made as it starts
                timeout=30,
                headers={"Authorization": f"Bearer {tokens[ADMIN]}"},
            )
        )
        wait_until_ok(admin, "/readyz", process)
        ca = folder / "certificates" / "apiserver.crt"
        kubeconfig = folder / "kubeconfig"
        kubeconfig.write_text(yaml.safe_dump(_kubeconfig(url, ca, tokens[API])))
        yield ControlPlane(process, admin, kubeconfig)


def _start_etcd(stack: ExitStack, binary: Path, folder: Path) -> str:
    url, peer = (f"http://127.0.0.1:{free_port()}" for _ in range(2))
    command = [
        str(binary),
        "etcd",
        f"--data-dir={folder / 'etcd-data'}",
        f"--listen-client-urls={url}",
        f"--advertise-client-urls={url}",
        f"--listen-peer-urls={peer}",
        f"--initial-advertise-peer-urls={peer}",
        f"--initial-cluster=default={peer}",
        "--unsafe-no-fsync",
        "--log-level=warn",
    ]
    process = stack.enter_context(running(command, folder / "etcd.log"))
    with httpx.Client(base_url=url) as client:
        wait_until_ok(client, "/health", process)
    return url


def _apiserver(
    binary: Path, folder: Path, etcd_url: str, port: int, tokens: dict[str, str]
) -> list[str]:
    key = ec.generate_private_key(ec.SECP256R1()).private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.TraditionalOpenSSL,
        serialization.NoEncryption(),
    )
    key_file, token_file = folder / "service-accounts.key", folder / "tokens.csv"
    key_file.write_bytes(key)
    with token_file.open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow([tokens[ADMIN], ADMIN, ADMIN, "system:masters"])
        rows.writerow([tokens[API], API, API])
    return [
        str(binary),
        "kube-apiserver",
        f"--etcd-servers={etcd_url}",
        "--bind-address=127.0.0.1",
        f"--secure-port={port}",
        f"--cert-dir={folder / 'certificates'}",
        f"--token-auth-file={token_file}",
        "--authorization-mode=RBAC",
        "--disable-admission-plugins=ServiceAccount",
        "--service-account-issuer=https://kubernetes.default.svc",
        f"--service-account-key-file={key_file}",
        f"--service-account-signing-key-file={key_file}",
        "--service-cluster-ip-range=10.96.0.0/24",
    ]


def _kubeconfig(url: str, ca: Path, token: str) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [
            {"name": "test", "cluster": {"server": url, "certificate-authority": str(ca)}}
        ],
        "users": [{"name": API, "user": {"token": token}}],
        "contexts": [{"name": "test", "context": {"cluster": "test", "user": API}}],
        "current-context": "test",
    }
