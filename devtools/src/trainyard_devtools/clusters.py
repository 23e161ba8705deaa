"""Which Kubernetes `make up` uses, and how images get to it."""

import os
import shutil
import subprocess
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

import localcluster
from localcluster import Publish
from trainyard_devtools.images import Image
from trainyard_devtools.repo import API_LISTEN, API_NODE_PORT, DEPLOY, ROOT, STATE
from trainyard_devtools.steps import StepError, console, output, run

NAME = "trainyard"
REGISTRY_PORT = 5050
_INSTALL = {
    "kind": "install kind (kind.sigs.k8s.io) and Docker, or use CLUSTER=embedded",
    "minikube": "install minikube (minikube.sigs.k8s.io) and Docker, or use CLUSTER=embedded",
    "kubectl": "install kubectl",
    "helm": "install helm 3 or newer",
}


def need(program: str) -> str:
    """The program's path. Raises `StepError` saying how to get it."""
    path = shutil.which(program)
    if path is None:
        raise StepError(f"{program} is not installed. What to do: {_INSTALL[program]}")
    return path


class Cluster(ABC):
    """A Kubernetes that `make up` brings up and `make down` takes away."""

    name: str

    @property
    @abstractmethod
    def kubeconfig(self) -> Path:
        """The file with which this cluster, and no other, is reached."""

    @property
    def kubectl(self) -> list[str]:
        """The command line of kubectl."""
        return [need("kubectl")]

    @property
    def helm(self) -> list[str]:
        """The command line of Helm."""
        return [need("helm")]

    @abstractmethod
    def up(self) -> None:
        """Bring the cluster up; nothing to do where it is up already."""

    @abstractmethod
    def down(self) -> None:
        """Take the cluster away with everything in it."""

    @property
    def registry(self) -> str:
        """The registry from which the nodes pull, empty for images that are loaded into them."""
        return ""

    @abstractmethod
    def publish(self, image: Image, tag: str) -> None:
        """Build an image and make it known to the nodes under its repository and this tag."""

    def has(self, image: Image, tag: str) -> bool:  # noqa: ARG002
        """Whether the nodes are known to have the image; if not, it is published once more."""
        return False

    def reference(self, image: Image, tag: str) -> str:
        """The name by which a pod refers to a published image."""
        return "/".join(filter(None, (self.registry, f"{image.repository}:{tag}")))

    def build_stage(self, image: Image, stage: str) -> None:
        """Build one stage of an image's Dockerfile, for what it checks on the way."""
        _docker_build(image._replace(stage=stage), f"{image.repository}:{stage}")

    def is_up(self) -> bool:
        """Whether the API server answers."""
        if not self.kubeconfig.exists():
            return False
        command = [*self.kubectl, "--kubeconfig", str(self.kubeconfig), "get", "--raw", "/readyz"]
        done = subprocess.run([*command, "--request-timeout=5s"], capture_output=True, check=False)
        return done.returncode == 0


class Embedded(Cluster):
    """The Kubernetes of localcluster/: processes of this machine, no Docker."""

    name = "embedded"

    def __init__(self) -> None:
        self._cluster = localcluster.Cluster(STATE / "cluster")

    @property
    def kubeconfig(self) -> Path:  # noqa: D102
        return self._cluster.kubeconfig

    @property
    def kubectl(self) -> list[str]:  # noqa: D102
        return [str(self._cluster.layout.bin / "kubectl")]

    @property
    def helm(self) -> list[str]:  # noqa: D102
        return [str(self._cluster.layout.bin / "helm")]

    @property
    def registry(self) -> str:  # noqa: D102
        return f"127.0.0.1:{REGISTRY_PORT}"

    def up(self) -> None:  # noqa: D102
        publish = Publish.parse(f"{API_LISTEN}:{API_NODE_PORT}")
        with _explained():
            self._cluster.up(publish=[publish], registry_port=REGISTRY_PORT)

    def down(self) -> None:  # noqa: D102
        with _explained():
            self._cluster.down()

    def publish(self, image: Image, tag: str) -> None:  # noqa: D102
        with _explained():
            self._cluster.build(
                ROOT / image.context,
                f"{image.repository}:{tag}",
                dockerfile=ROOT / image.dockerfile,
                target=image.stage or None,
            )

    def has(self, image: Image, tag: str) -> bool:  # noqa: D102
        url = f"http://{self.registry}/v2/{image.repository}/manifests/{tag}"
        accept = {"Accept": "application/vnd.oci.image.manifest.v1+json"}
        return httpx.head(url, headers=accept).is_success

    def build_stage(self, image: Image, stage: str) -> None:  # noqa: D102
        with _explained():
            self._cluster.build(
                ROOT / image.context,
                f"{image.repository}:{stage}",
                dockerfile=ROOT / image.dockerfile,
                target=stage,
                push=False,
            )


@contextmanager
def _explained() -> Iterator[None]:
    """localcluster says itself which command failed, how its log ends and what to do."""
    try:
        yield
    except localcluster.LocalclusterError as error:
        raise StepError(str(error)) from None


def _docker_build(image: Image, reference: str) -> None:
    console.print(f"▸ docker build {reference}", markup=False)
    run(
        [
            *("docker", "build", "-t", reference, "-f", str(ROOT / image.dockerfile)),
            *(("--target", image.stage) if image.stage else ()),
            str(ROOT / image.context),
        ],
        log=f"image-{image.name}",
        hint="mend what the log says and run the command again: finished layers are kept",
    )


class _Docker(Cluster):
    """What kind and minikube have in common: images are built by Docker, then loaded."""

    @property
    def kubeconfig(self) -> Path:
        return STATE / self.name / "kubeconfig"

    def publish(self, image: Image, tag: str) -> None:
        reference = self.reference(image, tag)
        _docker_build(image, reference)
        run(
            self._load(reference),
            log=f"load-{image.name}",
            hint=f"see whether the cluster is up: make status CLUSTER={self.name}",
        )

    @abstractmethod
    def _load(self, reference: str) -> list[str]:
        """The command that copies an image into the nodes."""


class Kind(_Docker):
    """kind: Kubernetes in Docker."""

    name = "kind"

    def up(self) -> None:  # noqa: D102
        kind = need("kind")
        self.kubeconfig.parent.mkdir(parents=True, exist_ok=True)
        if NAME not in output([kind, "get", "clusters"]).split():
            run(
                [
                    *(kind, "create", "cluster", "--name", NAME, "--wait", "120s"),
                    *("--config", DEPLOY / "kind-config.yaml", "--kubeconfig", self.kubeconfig),
                ],
                log="kind-create",
                hint="see that Docker runs and that port 8000 is free",
            )
        output([kind, "export", "kubeconfig", "--name", NAME, "--kubeconfig", self.kubeconfig])

    def down(self) -> None:  # noqa: D102
        output([need("kind"), "delete", "cluster", "--name", NAME, "--kubeconfig", self.kubeconfig])

    def _load(self, reference: str) -> list[str]:
        return [need("kind"), "load", "docker-image", reference, "--name", NAME]


class Minikube(_Docker):
    """minikube with its Docker driver."""

    name = "minikube"

    def up(self) -> None:  # noqa: D102
        self.kubeconfig.parent.mkdir(parents=True, exist_ok=True)
        run(
            [
                *(need("minikube"), "start", "--profile", NAME, "--driver", "docker"),
                *("--ports", f"{API_LISTEN}:{API_NODE_PORT}", "--keep-context"),
            ],
            log="minikube-start",
            hint="see that Docker runs and that port 8000 is free",
            env={"KUBECONFIG": str(self.kubeconfig)},
        )

    def down(self) -> None:  # noqa: D102
        output(
            [need("minikube"), "delete", "--profile", NAME],
            env={"KUBECONFIG": str(self.kubeconfig)},
        )

    def _load(self, reference: str) -> list[str]:
        return [need("minikube"), "--profile", NAME, "image", "load", reference]


class Current(Cluster):
    """The cluster of your current kube context, which `make` otherwise never touches.

    Its nodes pull from the registry that IMAGE_REGISTRY names; images are pushed there with Docker.
    """

    name = "current"

    @property
    def kubeconfig(self) -> Path:  # noqa: D102
        return Path(os.environ.get("KUBECONFIG", str(Path.home() / ".kube" / "config")))

    @property
    def registry(self) -> str:  # noqa: D102
        registry = os.environ.get("IMAGE_REGISTRY", "")
        if not registry:
            raise StepError("CLUSTER=current needs IMAGE_REGISTRY=your.registry/path to push to")
        return registry

    def up(self) -> None:  # noqa: D102
        if not self.is_up():
            raise StepError(f"the API server of {self.kubeconfig} does not answer")

    def down(self) -> None:
        """Nothing: the cluster is yours. `helm uninstall trainyard` removes the release."""

    def publish(self, image: Image, tag: str) -> None:  # noqa: D102
        reference = self.reference(image, tag)
        _docker_build(image, reference)
        run(
            ["docker", "push", reference],
            log=f"push-{image.name}",
            hint="see that you may push to IMAGE_REGISTRY: docker login",
        )


CLUSTERS: dict[str, type[Cluster]] = {
    cluster.name: cluster for cluster in (Kind, Minikube, Embedded, Current)
}


def docker_answers() -> bool:
    """Whether a Docker daemon, and not only its client, is there."""
    if shutil.which("docker") is None:
        return False
    return subprocess.run(["docker", "info"], capture_output=True, check=False).returncode == 0


def choose(wanted: str | None) -> Cluster:
    """The cluster that CLUSTER names; unset: kind where Docker answers, else embedded."""
    name = wanted or ("kind" if docker_answers() else "embedded")
    if name not in CLUSTERS:
        raise StepError(f"CLUSTER={name}: use one of {', '.join(sorted(CLUSTERS))}")
    return CLUSTERS[name]()
