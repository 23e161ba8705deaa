"""What the chart tells the programs, as their own settings read it."""

import string

import pytest
from pydantic_settings import BaseSettings
from trainyard_api.settings import Settings as ApiSettings
from trainyard_controller.settings import Settings as ControllerSettings
from trainyard_devtools.repo import DEPLOY
from trainyard_schema.spec import DataSpec

from .rendering import VALUES, Object, Template, container_of, environment

pytestmark = pytest.mark.component

INTERNAL = {"retrain_lost_seconds"}
"""Settings of the API that follow from how it works, and are there for its tests."""


def variables_of(objects: list[Object], name: str) -> dict[str, str]:
    """The program's own variables, with a value of their own for what comes from a Secret."""
    entries = environment(container_of(objects, f"trainyard-{name}"))
    return {
        variable: value if isinstance(value, str) else secret(variable)
        for variable, value in entries.items()
        if variable.startswith("TRAINYARD_")
    }


def secret(variable: str) -> str:
    if variable.endswith("DATABASE_URL"):
        return "postgresql://trainyard:password@trainyard-postgres:5432/trainyard"
    return f"{variable} {string.ascii_letters}"


@pytest.mark.parametrize(
    ("name", "settings"),
    [("controller", ControllerSettings), ("api", ApiSettings)],
    ids=["controller", "api"],
)
def test_the_program_understands_every_setting_that_it_gets(
    objects: list[Object],
    name: str,
    settings: type[BaseSettings],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    variables = variables_of(objects, name)
    prefix = str(settings.model_config["env_prefix"])
    fields = {variable.removeprefix(prefix).lower() for variable in variables}
    assert fields <= set(settings.model_fields)
    for variable, value in variables.items():
        monkeypatch.setenv(variable, value)
    # Raises where a field without a default is missing.
    assert settings().model_fields_set <= fields


def test_the_chart_can_give_the_api_every_setting(template: Template) -> None:
    given = set(variables_of(template({}, str(DEPLOY / "values-demo.yaml")), "api"))
    for values in VALUES.values():
        given |= set(variables_of(template(values), "api"))
    prefix = str(ApiSettings.model_config["env_prefix"])
    fields = set(ApiSettings.model_fields) - INTERNAL
    assert given == {f"{prefix}{field}".upper() for field in fields}


def test_what_a_request_leaves_out_reaches_the_api(
    template: Template, monkeypatch: pytest.MonkeyPatch
) -> None:
    objects = template({}, str(DEPLOY / "values-demo.yaml"))
    for variable, value in variables_of(objects, "api").items():
        monkeypatch.setenv(variable, value)
    settings = ApiSettings()
    assert settings.default_data == DataSpec(
        uri="s3://trainyard/datasets/churn.csv", target="churned", exclude=["customer_id"]
    )
    assert settings.resources is not None
    assert settings.resources.limits.memory == "1Gi"


def test_who_signs_tokens_reaches_the_api(
    template: Template, monkeypatch: pytest.MonkeyPatch
) -> None:
    for variable, value in variables_of(template(VALUES["issuer"]), "api").items():
        monkeypatch.setenv(variable, value)
    settings = ApiSettings()
    assert settings.jwt_secret is None
    assert settings.jwt_jwks_url == "https://issuer.example.com:8443/keys"
    assert settings.jwt_issuer == "https://issuer.example.com"
    assert settings.jwt_role_claim == "realm_access.roles"
    assert settings.jwt_default_role == "none"
