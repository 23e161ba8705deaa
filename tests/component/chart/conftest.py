"""Helm: the machine's own where it has one, else localcluster's."""

import shutil

import pytest
from localcluster.nodebinary import node_binary


@pytest.fixture(scope="session")
def helm(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """The command line of Helm. Where localcluster's program is not in the cache, it is built."""
    found = shutil.which("helm")
    if found is not None:
        return [found]
    return [str(node_binary(tmp_path_factory.mktemp("localcluster") / "go-build.log")), "helm"]
