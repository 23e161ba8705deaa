"""Helm: the machine's own where it has one, else localcluster's; and what it renders."""

import shutil

import pytest
from trainyard_devtools.repo import DEPLOY

from .rendering import VALUES, Object, Template, renderer


@pytest.fixture(scope="session")
def helm(request: pytest.FixtureRequest) -> list[str]:
    """The command line of Helm."""
    found = shutil.which("helm")
    return [found] if found else [str(request.getfixturevalue("node_program")), "helm"]


@pytest.fixture(scope="session")
def template(helm: list[str]) -> Template:
    """Renders the chart."""
    return renderer(helm)


@pytest.fixture(scope="session", params=[*VALUES, "demo"])
def objects(request: pytest.FixtureRequest, template: Template) -> list[Object]:
    """What is rendered for each way of installing the chart."""
    if request.param == "demo":
        return template({}, str(DEPLOY / "values-demo.yaml"))
    return template(VALUES[request.param])


@pytest.fixture(scope="session")
def default_objects(template: Template) -> list[Object]:
    return template({})
