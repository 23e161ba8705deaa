"""One control plane for all component tests that need one."""

from collections.abc import Iterator

import pytest
from localcluster.nodebinary import node_binary
from trainyard_schema import names
from trainyard_schema.crd import custom_resource_definition

from .control_plane import ControlPlane, control_plane, wait_for


@pytest.fixture(scope="session")
def kubernetes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    """A control plane that serves TrainingJobs. Each part's tests keep to their own namespaces."""
    folder = tmp_path_factory.mktemp("control-plane")
    with control_plane(node_binary(folder / "go-build.log"), folder) as plane:
        crd = custom_resource_definition()
        plane.rest.post("/apis/apiextensions.k8s.io/v1/customresourcedefinitions", crd)
        path = f"/apis/{names.API_VERSION}/namespaces/default/{names.PLURAL}"
        wait_for("the CRD is served", lambda: plane.rest.serves(path))
        yield plane
