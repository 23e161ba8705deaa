"""The chart installed and upgraded in a real API server, where it finds what is there already."""

import base64
import subprocess
from collections.abc import Callable, Iterator
from uuid import uuid4

import pytest
from trainyard_devtools.repo import CHART

from ..control_plane import ADMIN, ControlPlane
from .rendering import EXTERNAL_DATABASE, VALUES

pytestmark = pytest.mark.component

Install = Callable[..., None]


@pytest.fixture
def namespace(kubernetes: ControlPlane) -> str:
    name = f"chart-{uuid4().hex[:8]}"
    kubernetes.rest.post("/api/v1/namespaces", {"metadata": {"name": name}})
    return name


@pytest.fixture
def install(helm: list[str], kubernetes: ControlPlane, namespace: str) -> Iterator[Install]:
    """Install or upgrade the release, without waiting for its pods: there is no node."""
    where = ["-n", namespace, "--kubeconfig", str(kubernetes.kubeconfigs[ADMIN])]

    def run(**values: str) -> None:
        command = [*helm, "upgrade", "--install", "trainyard", str(CHART), *where]
        # The tests' own CRDs are there.
        for key, value in {"crds.enabled": "false", **values}.items():
            typed = value in {"true", "false"} or value.isdecimal()
            command += ["--set" if typed else "--set-string", f"{key}={value}"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr

    yield run
    # Others look for releases in all namespaces.
    subprocess.run([*helm, "uninstall", "trainyard", *where], capture_output=True, check=True)


@pytest.fixture
def secret(kubernetes: ControlPlane, namespace: str) -> Callable[[str], dict[str, str]]:
    def read(name: str) -> dict[str, str]:
        found = kubernetes.rest.get(f"/api/v1/namespaces/{namespace}/secrets/{name}")
        assert found is not None
        return {key: base64.b64decode(value).decode() for key, value in found["data"].items()}

    return read


@pytest.mark.parametrize("values", ["defaults", "external-database", "issuer", "ingress", "open"])
def test_the_api_server_takes_every_object(install: Install, values: str) -> None:
    install(**VALUES[values])


def test_generated_secrets_are_kept_and_complemented(
    install: Install,
    secret: Callable[[str], dict[str, str]],
    kubernetes: ControlPlane,
    namespace: str,
) -> None:
    install()
    auth, database = secret("trainyard-auth"), secret("trainyard-postgres")
    assert set(auth) == {"jwt-secret", "service-token"}

    # As a release of before has it.
    path = f"/api/v1/namespaces/{namespace}/secrets/trainyard-auth"
    kubernetes.rest.patch(path, {"data": {"service-token": None}})
    install()
    complemented = secret("trainyard-auth")
    assert complemented["jwt-secret"] == auth["jwt-secret"]
    assert len(complemented["service-token"]) >= 32
    assert secret("trainyard-postgres") == database

    install()
    assert secret("trainyard-auth") == complemented


def test_a_secret_that_lacks_what_the_bundled_server_needs_is_said(
    install: Install, kubernetes: ControlPlane, namespace: str
) -> None:
    mine = {"metadata": {"name": "my-database"}, "stringData": {"database-url": "postgresql://x"}}
    kubernetes.rest.post(f"/api/v1/namespaces/{namespace}/secrets", mine)
    with pytest.raises(AssertionError, match=r"no key password.*database\.bundled\.enabled=false"):
        install(**{"database.existingSecret": "my-database"})
    install(**EXTERNAL_DATABASE)
