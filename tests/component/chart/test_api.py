"""The API's pods: permissions, replicas, the way in, and what `helm test` does with it."""

import pytest

from .rendering import VALUES, Template, container_of, environment, find

pytestmark = pytest.mark.component


def test_the_api_may_do_what_it_does_and_no_more(template: Template) -> None:
    rules = find(template({}), "Role", "trainyard-api")["rules"]
    allowed = {
        (group, resource): set(rule["verbs"])
        for rule in rules
        for group in rule["apiGroups"]
        for resource in rule["resources"]
    }
    assert allowed == {
        ("trainyard.dev", "models"): {"get", "list", "watch", "create", "patch", "delete"},
        ("trainyard.dev", "trainingjobs"): {"get", "list", "watch", "create", "patch"},
        ("", "pods"): {"list"},
        ("", "pods/log"): {"get"},
        ("", "events"): {"create"},
    }


def test_one_replica_has_no_disruption_budget_which_would_block_a_drain(template: Template) -> None:
    assert all(item["kind"] != "PodDisruptionBudget" for item in template({}))


def test_two_replicas_are_spread_and_never_evicted_together(template: Template) -> None:
    objects = template({"api.replicas": "2"})
    deployment = find(objects, "Deployment", "trainyard-api")["spec"]
    assert deployment["replicas"] == 2
    labels = deployment["template"]["metadata"]["labels"]
    [spread] = deployment["template"]["spec"]["topologySpreadConstraints"]
    budget = find(objects, "PodDisruptionBudget", "trainyard-api")["spec"]
    assert budget["maxUnavailable"] == 1
    for selector in (spread["labelSelector"], budget["selector"]):
        assert selector["matchLabels"].items() <= labels.items()


def test_an_old_pod_leaves_the_service_before_it_stops(template: Template) -> None:
    pod = find(template({}), "Deployment", "trainyard-api")["spec"]["template"]["spec"]
    [container] = pod["containers"]
    asleep = container["lifecycle"]["preStop"]["sleep"]["seconds"]
    # The API itself takes up to 20 s to finish what it is doing.
    assert pod["terminationGracePeriodSeconds"] > asleep + 20


def test_an_ingress_leads_to_the_service(template: Template) -> None:
    assert all(item["kind"] != "Ingress" for item in template({}))
    ingress = find(template(VALUES["ingress"]), "Ingress", "trainyard-api")
    assert ingress["metadata"]["annotations"] == {"proxy": "off"}
    assert ingress["spec"] == {
        "ingressClassName": "nginx",
        "tls": [{"hosts": ["trainyard.example.com"], "secretName": "trainyard-tls"}],
        "rules": [
            {
                "host": "trainyard.example.com",
                "http": {
                    "paths": [
                        {
                            "path": "/",
                            "pathType": "Prefix",
                            "backend": {
                                "service": {"name": "trainyard-api", "port": {"name": "http"}}
                            },
                        }
                    ]
                },
            }
        ],
    }


def test_the_api_reaches_its_issuer_and_its_webhook(template: Template) -> None:
    def egress(values: dict[str, str]) -> list[object]:
        policy = find(template(values), "NetworkPolicy", "trainyard-api")["spec"]
        rules: list[object] = policy["egress"]
        return rules

    for kind, port, cidr in (
        ("issuer", 8443, "10.40.0.0/16"),
        ("webhook", 9443, "10.50.0.0/16"),
    ):
        rule = {"ports": [{"port": port}], "to": [{"ipBlock": {"cidr": cidr}}]}
        assert rule in egress(VALUES[kind])
        assert rule not in egress({})


def test_the_smoke_test_signs_a_token_unless_an_issuer_does(template: Template) -> None:
    def variables(values: dict[str, str]) -> dict[str, object]:
        [container] = find(template(values), "Pod", "trainyard-test")["spec"]["containers"]
        return environment(container)

    signing = {"JWT_SECRET", "JWT_ISSUER", "JWT_AUDIENCE", "JWT_ROLE_CLAIM"}
    own = variables({"auth.audience": "mine", "auth.roleClaim": "https://example.com/role"})
    assert signing <= set(own)
    assert (own["JWT_AUDIENCE"], own["JWT_ROLE_CLAIM"]) == ("mine", "https://example.com/role")
    assert not signing & set(variables(VALUES["issuer"]))


def test_the_tables_are_made_before_the_api_starts(template: Template) -> None:
    objects = template({})
    pod = find(objects, "Deployment", "trainyard-api")["spec"]["template"]["spec"]
    [migrate] = pod["initContainers"]
    api = container_of(objects, "trainyard-api")
    assert (migrate["image"], migrate["args"]) == (api["image"], ["migrate"])
    # It changes tables, so it holds the database's URL and no other secret.
    url = environment(migrate)
    assert url == {
        "TRAINYARD_API_DATABASE_URL": {
            "secretKeyRef": {"name": "trainyard-postgres", "key": "database-url"}
        }
    }
    assert url.items() <= environment(api).items()
