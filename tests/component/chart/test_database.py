"""The bundled PostgreSQL, and an external one."""

import base64
from urllib.parse import urlsplit

import pytest
from trainyard_devtools.repo import CHART

from .rendering import (
    EXTERNAL_DATABASE,
    VALUES,
    Object,
    Template,
    container_of,
    environment,
    find,
)

pytestmark = pytest.mark.component


def names(objects: list[Object]) -> set[str]:
    return {item["metadata"]["name"] for item in objects}


@pytest.mark.parametrize("release", ["trainyard", "mine"])
def test_the_url_leads_to_the_bundled_server_with_its_password(
    template: Template, release: str
) -> None:
    objects = template({}, release=release)
    name = {"trainyard": "trainyard-postgres", "mine": "mine-trainyard-postgres"}[release]
    data = {
        key: base64.b64decode(value).decode()
        for key, value in find(objects, "Secret", name)["data"].items()
    }
    url = urlsplit(data["database-url"])
    assert (url.scheme, url.username, url.path) == ("postgresql", "trainyard", "/trainyard")
    assert url.password == data["password"]
    [port] = find(objects, "Service", name)["spec"]["ports"]
    assert (url.hostname, url.port) == (name, port["port"])


def test_the_data_folder_is_below_the_volume(template: Template) -> None:
    # A volume of its own file system has lost+found in it, and initdb wants an empty folder.
    container = container_of(template({}), "trainyard-postgres", "StatefulSet")
    [mount] = [m for m in container["volumeMounts"] if m["name"] == "data"]
    assert environment(container)["PGDATA"].startswith(mount["mountPath"] + "/")


def test_only_the_api_reaches_the_bundled_server(template: Template) -> None:
    policy = find(template({}), "NetworkPolicy", "trainyard-postgres")["spec"]
    assert policy["policyTypes"] == ["Ingress", "Egress"]
    assert "egress" not in policy
    [rule] = policy["ingress"]
    components = [
        peer["podSelector"]["matchLabels"]["app.kubernetes.io/component"] for peer in rule["from"]
    ]
    assert components == ["api"]


def test_the_api_reaches_the_database(template: Template) -> None:
    def rules(values: dict[str, str]) -> list[Object]:
        policy = find(template(values), "NetworkPolicy", "trainyard-api")["spec"]
        return [rule for rule in policy["egress"] if rule["ports"][0]["port"] in {5432, 6432}]

    [bundled] = rules({})
    assert bundled["to"][0]["podSelector"]["matchLabels"]["app.kubernetes.io/component"] == (
        "postgres"
    )
    assert rules(EXTERNAL_DATABASE) == [{"ports": [{"port": 5432}]}]
    assert rules(VALUES["external-database"]) == [
        {"ports": [{"port": 6432}], "to": [{"ipBlock": {"cidr": "10.30.0.0/16"}}]}
    ]


def test_an_external_database_needs_no_server(template: Template) -> None:
    objects = template(EXTERNAL_DATABASE)
    assert "trainyard-postgres" not in names(objects)
    for container in (
        container_of(objects, "trainyard-api"),
        *find(objects, "Deployment", "trainyard-api")["spec"]["template"]["spec"]["initContainers"],
    ):
        assert environment(container)["TRAINYARD_API_DATABASE_URL"] == {
            "secretKeyRef": {"name": "my-database", "key": "database-url"}
        }


def test_the_certificate_authority_of_an_external_database_is_where_the_url_says(
    template: Template,
) -> None:
    pod = find(template(EXTERNAL_DATABASE), "Deployment", "trainyard-api")["spec"]["template"]
    [volume] = [v["secret"] for v in pod["spec"]["volumes"] if v["name"] == "database"]
    # Without the key, as where the certificate is not checked, the folder is empty.
    assert volume == {
        "secretName": "my-database",
        "optional": True,
        "items": [{"key": "ca.crt", "path": "ca.crt"}],
    }
    said = "/etc/trainyard/database/ca.crt"
    assert said in (CHART / "values.yaml").read_text()
    for container in (*pod["spec"]["initContainers"], *pod["spec"]["containers"]):
        [mount] = [m for m in container["volumeMounts"] if m["name"] == "database"]
        assert f"{mount['mountPath']}/ca.crt" == said
