"""A real control plane without nodes: etcd, kube-apiserver, and the controllers of Jobs and such.

No pod ever runs here: a test plays the kubelet by writing the pods' status.
"""

import csv
import json
import secrets
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import httpx
import yaml
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from trainyard_schema import names
from trainyard_schema.crd import custom_resource_definition
from trainyard_schema.model_crd import model_custom_resource_definition

from ..forking.forks import Fork

T = TypeVar("T")
Process = subprocess.Popen[bytes] | Fork
ProcessT = TypeVar("ProcessT", bound=Process)
ADMIN, API, OPERATOR = "admin", "api", "operator"
AUDIT_LOG = "audit.jsonl"
AUDIT_POLICY = {
    "apiVersion": "audit.k8s.io/v1",
    "kind": "Policy",
    "omitStages": ["RequestReceived"],
    "rules": [{"level": "Metadata", "users": [OPERATOR]}, {"level": "None"}],
}
_START_SECONDS = 90
_STOP_SECONDS = 20


def wait_for(what: str, probe: Callable[[], T | None], timeout: float = 30) -> T:
    """The first answer of `probe` that is not None or False; fails after `timeout` seconds."""
    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline:
        if answer := probe():
            return answer
        time.sleep(0.05)
    raise AssertionError(f"{what}: not within {timeout} s")


def wait_until_ok(process: Process, url: str, log: Path, **options: Any) -> None:
    """Until `url` answers 200. Fails when the process ends or the time is up."""

    def answers() -> bool:
        assert process.poll() is None, log.read_text()
        try:
            return httpx.get(url, **options).status_code == 200
        except httpx.TransportError:
            return False

    wait_for(f"{url} answers 200", answers, _START_SECONDS)


def free_ports(count: int) -> list[int]:
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]


@contextmanager
def program(command: list[str], log: Path, **options: Any) -> Iterator["subprocess.Popen[bytes]"]:
    """A program that runs until the block ends, and is then ended politely first."""
    with log.open("ab") as output:
        process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT, **options)
    with ended_politely(process):
        yield process


@contextmanager
def ended_politely(process: ProcessT) -> Iterator[ProcessT]:
    """A process that runs until the block ends, and is then ended politely first."""
    try:
        yield process
    finally:
        process.send_signal(signal.SIGCONT)
        process.terminate()
        try:
            process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


class Rest:
    """The administrator's requests to the API server."""

    def __init__(self, url: str, token: str) -> None:
        self._client = httpx.Client(
            base_url=url,
            headers={"Authorization": f"Bearer {token}"},
            verify=False,  # its certificate is made as it starts
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

    def text(self, path: str) -> str:
        response = self._client.get(path)
        assert response.is_success, response.text
        return response.text

    def items(self, path: str, **query: str) -> list[dict[str, Any]]:
        found = self.get(path, **query)
        return list(found["items"]) if found else []

    def table(self, path: str) -> dict[str, Any]:
        """What kubectl shows of the only object: the cells by the names of their columns."""
        headers = {"Accept": "application/json;as=Table;v=v1;g=meta.k8s.io"}
        found = self._answer(self._client.get(path, headers=headers))
        [row] = found["rows"]
        titles = [column["name"] for column in found["columnDefinitions"]]
        return dict(zip(titles, row["cells"], strict=True))

    def watch(self, path: str, **query: str) -> Iterator[dict[str, Any]]:
        """The events about what is there and what comes, until the API server ends the watch."""
        with self._client.stream(
            "GET", path, params={"watch": "true", **query}, timeout=None
        ) as response:
            for line in response.iter_lines():
                yield json.loads(line)

    def post(self, path: str, body: dict[str, Any], **query: str) -> dict[str, Any]:
        return self._answer(self._client.post(path, json=body, params=query))

    def patch(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        headers = {"Content-Type": "application/merge-patch+json"}
        return self._answer(self._client.patch(path, json=body, headers=headers))

    def delete(self, path: str, **options: Any) -> None:
        self._answer(self._client.request("DELETE", path, json=options))


@dataclass
class ControlPlane:
    """A running control plane. The user `admin` may do everything; others what a test allows."""

    start_apiserver: "Callable[[], subprocess.Popen[bytes]]"
    etcd: str
    kubeconfigs: dict[str, Path]
    rest: Rest
    audit: Path
    """What the operator asked for, a JSON object a line."""
    certificates: Path
    """The folder with the API server's `apiserver.crt` and `apiserver.key`, for 127.0.0.1."""

    def __post_init__(self) -> None:
        self.apiserver = self.start_apiserver()

    @contextmanager
    def killed(self) -> Iterator[None]:
        """Connections break, and new ones are refused."""
        self.apiserver.kill()
        self.apiserver.wait()
        try:
            yield
        finally:
            self.apiserver = self.start_apiserver()

    def restart_apiserver(self) -> None:
        """Kill it and start it anew: connections are cut, and all events so far are forgotten."""
        with self.killed():
            kv = f"{self.etcd}/v3/kv"
            # The key "a"; what is asked for is the header.
            answer = httpx.post(f"{kv}/range", json={"key": "YQ=="}).raise_for_status().json()
            revision = answer["header"]["revision"]
            httpx.post(f"{kv}/compaction", json={"revision": revision}).raise_for_status()

    @contextmanager
    def paused(self) -> Iterator[None]:
        """The API server accepts connections and answers nothing."""
        self.apiserver.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self.apiserver.send_signal(signal.SIGCONT)


@contextmanager
def control_plane(
    binary: Path, folder: Path, *, manager_flags: Sequence[str] = (), audited: bool = True
) -> Iterator[ControlPlane]:
    """Start everything; stop everything. Flags are added to those of kube-controller-manager.

    To note what the operator asks for costs the API server time for each of its requests.
    """
    (port,) = free_ports(1)
    url = f"https://127.0.0.1:{port}"
    tokens = {user: secrets.token_hex() for user in (ADMIN, API, OPERATOR)}
    certificates = folder / "certificates"
    kubeconfigs = {user: folder / f"kubeconfig-{user}" for user in tokens}
    for user, path in kubeconfigs.items():
        path.write_text(
            yaml.safe_dump(_kubeconfig(url, certificates / "apiserver.crt", tokens[user]))
        )
    with ExitStack() as stack:
        etcd = _start_etcd(stack, binary, folder)
        log = folder / "kube-apiserver.log"
        command = _apiserver(binary, folder, etcd, port, tokens)
        if audited:
            command += _audit(folder)
        headers = {"Authorization": f"Bearer {tokens[ADMIN]}"}

        def start_apiserver() -> "subprocess.Popen[bytes]":
            apiserver = stack.enter_context(program(command, log))
            wait_until_ok(apiserver, f"{url}/readyz", log, verify=False, headers=headers)
            return apiserver

        rest = Rest(url, tokens[ADMIN])
        stack.callback(rest.close)
        plane = ControlPlane(
            start_apiserver, etcd, kubeconfigs, rest, folder / AUDIT_LOG, certificates
        )
        manager = [*_controller_manager(binary, kubeconfigs[ADMIN]), *manager_flags]
        stack.enter_context(program(manager, folder / "kube-controller-manager.log"))
        yield plane


def serve_kinds(plane: ControlPlane) -> None:
    """Have the control plane serve TrainingJobs and Models."""
    for crd in (custom_resource_definition(), model_custom_resource_definition()):
        plane.rest.post("/apis/apiextensions.k8s.io/v1/customresourcedefinitions", crd)
        plural = crd["spec"]["names"]["plural"]
        path = f"/apis/{names.API_VERSION}/namespaces/default/{plural}"
        wait_for(f"the CRD of {plural} is served", partial(plane.rest.serves, path))


def _start_etcd(stack: ExitStack, binary: Path, folder: Path) -> str:
    url, peer = (f"http://127.0.0.1:{port}" for port in free_ports(2))
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
    log = folder / "etcd.log"
    wait_until_ok(stack.enter_context(program(command, log)), f"{url}/health", log)
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
        rows.writerows([tokens[user], user, user] for user in (API, OPERATOR))
    return [
        str(binary),
        "kube-apiserver",
        f"--etcd-servers={etcd_url}",
        "--bind-address=127.0.0.1",
        f"--secure-port={port}",
        f"--cert-dir={folder / 'certificates'}",
        f"--token-auth-file={token_file}",
        "--authorization-mode=RBAC",
        "--service-account-issuer=https://kubernetes.default.svc",
        f"--service-account-key-file={key_file}",
        f"--service-account-signing-key-file={key_file}",
        "--service-cluster-ip-range=10.97.0.0/24",
        "--endpoint-reconciler-type=none",
    ]


def _audit(folder: Path) -> list[str]:
    policy = folder / "audit-policy.yaml"
    policy.write_text(yaml.safe_dump(AUDIT_POLICY))
    return [f"--audit-policy-file={policy}", f"--audit-log-path={folder / AUDIT_LOG}"]


def _controller_manager(binary: Path, kubeconfig: Path) -> list[str]:
    return [
        str(binary),
        "kube-controller-manager",
        f"--kubeconfig={kubeconfig}",
        "--controllers=job-controller,garbage-collector-controller,resourcequota-controller",
        "--leader-elect=false",
        "--secure-port=0",
    ]


def _kubeconfig(url: str, certificate: Path, token: str) -> dict[str, Any]:
    cluster = {"server": url, "certificate-authority": str(certificate)}
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "test", "cluster": cluster}],
        "users": [{"name": "test", "user": {"token": token}}],
        "contexts": [{"name": "test", "context": {"cluster": "test", "user": "test"}}],
        "current-context": "test",
    }
