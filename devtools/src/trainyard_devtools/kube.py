"""Talk to the cluster of this clone: kubectl, TrainingJobs, a forwarded port, the S3 client."""

import base64
import json
import math
import re
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import boto3
import yaml
from botocore.config import Config
from kubernetes import client, watch
from kubernetes import config as kubernetes_config
from trainyard_schema import names

from trainyard_devtools.repo import NAMESPACE, RELEASE
from trainyard_devtools.steps import StepError

S3_SERVICE = f"{RELEASE}-s3"
S3_PORT = 7070


class Kube:
    """A cluster reached through one kubeconfig."""

    def __init__(self, kubeconfig: Path, kubectl: list[str], namespace: str = NAMESPACE) -> None:
        self.kubeconfig = kubeconfig
        self.namespace = namespace
        self._kubectl = [*kubectl, "--kubeconfig", str(kubeconfig)]
        self.client = kubernetes_config.new_client_from_config(str(kubeconfig))  # type: ignore[no-untyped-call]
        self.core = client.CoreV1Api(self.client)
        self.batch = client.BatchV1Api(self.client)
        self._objects = client.CustomObjectsApi(self.client)

    def kubectl(self, *words: str, stdin: str | None = None) -> str:
        """What kubectl prints. Raises `StepError` with its error output when it fails."""
        command = [*self._kubectl, "--namespace", self.namespace, *words]
        done = subprocess.run(command, input=stdin, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise StepError(f"kubectl {' '.join(words)}\n{done.stderr.strip()}")
        return done.stdout

    def apply(self, *documents: dict[str, Any]) -> str:
        """`kubectl apply` of documents."""
        return self.kubectl("apply", "-f", "-", stdin=yaml.safe_dump_all(documents))

    def training_job(self, name: str) -> dict[str, Any]:
        """A TrainingJob as the API server has it."""
        found: Any = self._objects.get_namespaced_custom_object(
            names.GROUP, names.VERSION, self.namespace, names.PLURAL, name
        )
        return dict(found)

    def follow(self, name: str, timeout: float) -> Iterator[dict[str, Any]]:
        """A TrainingJob now and after each change, for at most `timeout` seconds.

        Ends early when it is deleted. Raises `StepError` when the time is over.
        """
        end = time.monotonic() + timeout
        while (left := end - time.monotonic()) > 0:
            stream = watch.Watch().stream(  # type: ignore[no-untyped-call]
                self._objects.list_namespaced_custom_object,
                *(names.GROUP, names.VERSION, self.namespace, names.PLURAL),
                field_selector=f"metadata.name={name}",
                timeout_seconds=math.ceil(left),
            )
            for event in stream:
                if event["type"] == "DELETED":
                    return
                yield event["object"]
        raise StepError(f"TrainingJob/{name} was watched for {timeout:.0f} s in vain")

    def create_training_job(self, body: dict[str, Any]) -> dict[str, Any]:
        """Create a TrainingJob."""
        created: Any = self._objects.create_namespaced_custom_object(
            names.GROUP, names.VERSION, self.namespace, names.PLURAL, body
        )
        return dict(created)

    def create_job(self, body: dict[str, Any]) -> None:
        """Create a bare Job."""
        # The client takes a plain document as well as its model, but is typed for the model only.
        self.batch.create_namespaced_job(self.namespace, body)  # type: ignore[arg-type]

    def patch_training_job(self, name: str, patch: dict[str, Any]) -> None:
        """Merge `patch` into a TrainingJob."""
        self.kubectl("patch", names.PLURAL, name, "--type=merge", "-p", json.dumps(patch))

    def delete_training_job(self, name: str) -> None:
        """Delete a TrainingJob, if it is still there."""
        self.kubectl("delete", names.PLURAL, name, "--ignore-not-found", "--wait=false")

    def trainer_image(self) -> str:
        """The image in which the release's operator runs trainings."""
        command = ("get", f"deployment/{RELEASE}-controller", "-o")
        variable = '{.spec.template.spec.containers[0].env[?(@.name=="TRAINYARD_TRAINER_IMAGE")]'
        return self.kubectl(*command, f"jsonpath={variable}.value}}")

    def secret(self, name: str) -> dict[str, str]:
        """A Secret's data, decoded."""
        data = self.core.read_namespaced_secret(name, self.namespace).data or {}
        return {key: base64.b64decode(value).decode() for key, value in data.items()}

    @contextmanager
    def forward(self, target: str, port: int) -> Iterator[int]:
        """A loopback port that leads to `target`, such as service/x, while the block runs."""
        command = [*self._kubectl, "-n", self.namespace, "port-forward", target, f":{port}"]
        with subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        ) as process:
            try:
                assert process.stdout is not None
                line = process.stdout.readline()
                match = re.search(r"127\.0\.0\.1:(\d+)", line)
                if match is None:
                    raise StepError(f"kubectl port-forward {target} said: {line.strip()}")
                yield int(match[1])
            finally:
                process.terminate()

    @contextmanager
    def s3(self) -> Iterator[Any]:
        """A boto3 client of the bundled object store."""
        credentials = self.secret(S3_SERVICE)
        with self.forward(f"service/{S3_SERVICE}", S3_PORT) as port:
            yield boto3.client(
                "s3",
                endpoint_url=f"http://127.0.0.1:{port}",
                region_name="us-east-1",
                aws_access_key_id=credentials["AWS_ACCESS_KEY_ID"],
                aws_secret_access_key=credentials["AWS_SECRET_ACCESS_KEY"],
                config=Config(
                    signature_version="s3v4",
                    request_checksum_calculation="when_required",
                    response_checksum_validation="when_required",
                    s3={"addressing_style": "path"},
                ),
            )
