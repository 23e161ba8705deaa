"""Helm: the machine's own where it has one, else localcluster's."""

import shutil

import pytest


@pytest.fixture(scope="session")
def helm(request: pytest.FixtureRequest) -> list[str]:
    """The command line of Helm."""
    found = shutil.which("helm")
    return [found] if found else [str(request.getfixturevalue("node_program")), "helm"]
