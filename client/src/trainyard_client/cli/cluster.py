"""The release in the cluster of a kubeconfig, reached through kubectl as its user may."""

import base64
import json
import queue
import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from threading import Thread
from typing import Any, Final

from trainyard_client.cli.errors import CommandError

_LABELS: Final = "app.kubernetes.io/part-of=trainyard,app.kubernetes.io/component=api"
_ANSWER_SECONDS: Final = 30
_FORWARD_SECONDS: Final = 20
_SECRET_VARIABLE: Final = "TRAINYARD_API_JWT_SECRET"  # noqa: S105 - the name of a variable


@dataclass(frozen=True)
class Kubectl:
    """kubectl with the options that choose a cluster and a namespace; None: its own choice."""

    kubeconfig: str | None = None
    context: str | None = None
    namespace: str | None = None

    def command(self, *words: str) -> list[str]:
        """The command line."""
        program = shutil.which("kubectl")
        if program is None:
            raise CommandError("kubectl is not installed, or not on the PATH")
        given = {
            "--kubeconfig": self.kubeconfig,
            "--context": self.context,
            "--namespace": self.namespace,
        }
        options = [f"{name}={value}" for name, value in given.items() if value]
        return [program, *options, *words]

    def json(self, *words: str) -> Any:
        """What a command prints with `-o json`."""
        command = self.command(*words, "-o", "json", f"--request-timeout={_ANSWER_SECONDS}s")
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            said = done.stderr.strip().removeprefix("error: ").removeprefix("Error from server ")
            raise CommandError(f"kubectl {' '.join(words)}: {said}")
        return json.loads(done.stdout)


@dataclass(frozen=True)
class Release:
    """A Trainyard in a cluster."""

    kubectl: Kubectl
    """In the release's namespace."""
    service: str
    port: int
    environment: dict[str, Any]
    """Of the API's container, as Kubernetes writes it, by name."""

    @classmethod
    def find(cls, kubectl: Kubectl) -> "Release":
        """The one in the namespace; where none was chosen and there is none, in the cluster.

        Raises `CommandError` for none or several.
        """
        deployments = _deployments(kubectl)
        if not deployments and not kubectl.namespace:
            try:
                deployments = _deployments(kubectl, "--all-namespaces")
            except CommandError:
                deployments = []  # not everybody may look everywhere
        if not deployments:
            raise CommandError(
                "No Trainyard was found by kubectl. Give its namespace (-n), or the API's address "
                "(--url, TRAINYARD_URL)."
            )
        if len(deployments) > 1:
            places = ", ".join(sorted(_metadata(one)["namespace"] for one in deployments))
            raise CommandError(f"There is more than one Trainyard. Choose by -n: {places}")
        [deployment] = deployments
        kubectl = replace(kubectl, namespace=_metadata(deployment)["namespace"])
        name = _metadata(deployment)["name"]
        [container, *_] = deployment["spec"]["template"]["spec"]["containers"]
        [port, *_] = kubectl.json("get", "service", name)["spec"]["ports"]
        environment = {one["name"]: one for one in container.get("env", [])}
        return cls(kubectl, name, port["port"], environment)

    def signing_key(self) -> str:
        """The key that the API checks tokens with; who may read that Secret may sign."""
        reference = self.environment.get(_SECRET_VARIABLE, {}).get("valueFrom", {})
        if not (key := reference.get("secretKeyRef")):
            raise CommandError(
                "The API takes the tokens of an identity provider: get one there, and log in with "
                "it, or set TRAINYARD_TOKEN."
            )
        data = self.kubectl.json("get", "secret", key["name"]).get("data", {})
        try:
            return base64.b64decode(data[key["key"]]).decode()
        except KeyError:
            raise CommandError(f"Secret {key['name']} has no key {key['key']}") from None

    def setting(self, name: str, default: str) -> str:
        """A setting of the API as its container has it."""
        value: str | None = self.environment.get(f"TRAINYARD_API_{name}", {}).get("value")
        return value or default

    def user(self) -> str:
        """Who kubectl's user is for the cluster."""
        answer = self.kubectl.json("auth", "whoami")
        name: str = answer["status"]["userInfo"]["username"]
        return name

    @contextmanager
    def forwarded(self) -> Iterator[str]:
        """The API's address on this machine, for the length of the block."""
        command = self.kubectl.command(
            "port-forward", "--address=127.0.0.1", f"service/{self.service}", f":{self.port}"
        )
        with subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        ) as process:
            try:
                yield f"http://127.0.0.1:{_local_port(process)}"
            finally:
                process.terminate()


def has_kubeconfig(kubectl: Kubectl, environment: str | None) -> bool:
    """Whether kubectl has a cluster to talk to. `environment` is KUBECONFIG."""
    if kubectl.kubeconfig or kubectl.context or environment:
        return True
    return (Path.home() / ".kube" / "config").is_file()


def _deployments(kubectl: Kubectl, *options: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = kubectl.json("get", "deployments", "-l", _LABELS, *options)[
        "items"
    ]
    return found


def _metadata(thing: dict[str, Any]) -> dict[str, Any]:
    metadata: dict[str, Any] = thing["metadata"]
    return metadata


def _local_port(process: "subprocess.Popen[str]") -> int:
    """The port that kubectl chose. It is read on, or kubectl would stand still."""
    lines: queue.SimpleQueue[str] = queue.SimpleQueue()

    def read() -> None:
        assert process.stdout is not None
        for line in process.stdout:
            lines.put(line)
        lines.put("")

    Thread(target=read, daemon=True).start()
    said = ""
    while True:
        try:
            line = lines.get(timeout=_FORWARD_SECONDS)
        except queue.Empty:
            line = ""
        if match := re.search(r"127\.0\.0\.1:(\d+)", line):
            return int(match[1])
        said += line
        if not line:
            raise CommandError(
                f"kubectl port-forward did not start: {said.strip() or 'it said nothing'}"
            )
