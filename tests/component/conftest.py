"""One control plane for all component tests that need one."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from localcluster.nodebinary import node_binary
from localcluster.progress import Progress
from trainyard_schema import names
from trainyard_schema.crd import custom_resource_definition

from ..conftest import Aloud
from .control_plane import ControlPlane, control_plane, wait_for


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
    """A control plane that serves TrainingJobs. Each part's tests keep to their own namespaces."""
    with control_plane(node_program, tmp_path_factory.mktemp("control-plane")) as plane:
        crd = custom_resource_definition()
        plane.rest.post("/apis/apiextensions.k8s.io/v1/customresourcedefinitions", crd)
        path = f"/apis/{names.API_VERSION}/namespaces/default/{names.PLURAL}"
        wait_for("the CRD is served", lambda: plane.rest.serves(path))
        yield plane
