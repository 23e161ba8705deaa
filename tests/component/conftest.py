"""One control plane for all component tests that need one."""

import secrets
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
from localcluster.nodebinary import node_binary
from localcluster.progress import Progress
from trainyard_schema import names
from trainyard_schema.crd import custom_resource_definition
from trainyard_schema.model_crd import model_custom_resource_definition

from ..conftest import Aloud
from .control_plane import ControlPlane, control_plane, wait_for
from .postgres import Postgres, postgres_server


@pytest.fixture(scope="session")
def node_program(aloud: Aloud, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Kubernetes as one program, linked now if this machine has not linked it yet."""
    log = tmp_path_factory.mktemp("node-binary") / "go-build.log"
    with aloud(), Progress().step("making sure of the node binary", log):
        return node_binary(log)


@pytest.fixture(scope="session")
def kubernetes(
    node_program: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ControlPlane]:
    """A control plane that serves both kinds. Each part's tests keep to their own namespaces."""
    with control_plane(node_program, tmp_path_factory.mktemp("control-plane")) as plane:
        for crd in (custom_resource_definition(), model_custom_resource_definition()):
            plane.rest.post("/apis/apiextensions.k8s.io/v1/customresourcedefinitions", crd)
            plural = crd["spec"]["names"]["plural"]
            path = f"/apis/{names.API_VERSION}/namespaces/default/{plural}"
            wait_for(f"the CRD of {plural} is served", partial(plane.rest.serves, path))
        yield plane


@pytest.fixture(scope="session")
def postgres(aloud: Aloud, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Postgres]:
    """A Postgres server, for `database_url`, and for tests of outages."""
    with postgres_server(tmp_path_factory.mktemp("postgres") / "apt.log") as server:
        yield server


@pytest.fixture(scope="module")
def database_url(postgres: Postgres) -> Iterator[str]:
    """A database of this test module's own, migrated and empty."""
    name = f"test_{secrets.token_hex(4)}"
    yield postgres.create(name)
    postgres.drop(name)
