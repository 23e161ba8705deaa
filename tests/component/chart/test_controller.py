"""How the chart runs the operator, alone and in replicas, and what it has Prometheus watch."""

import re
from typing import Any

import pytest
from prometheus_client import REGISTRY
from trainyard_controller import metrics
from trainyard_schema import Phase

from .rendering import VALUES, Object, Template, container_of, environment, find

pytestmark = pytest.mark.component

NAME = "trainyard-controller"


def rules_of(objects: list[Object], name: str = NAME) -> list[dict[str, Any]]:
    return list(find(objects, "Role", name)["rules"])


def test_one_replica_is_replaced_and_needs_no_lease(default_objects: list[Object]) -> None:
    spec = find(default_objects, "Deployment", NAME)["spec"]
    assert (spec["replicas"], spec["strategy"]) == (1, {"type": "Recreate"})
    assert "TRAINYARD_LEASE_NAME" not in environment(container_of(default_objects, NAME))
    names = {(item["kind"], item["metadata"]["name"]) for item in default_objects}
    assert ("PodDisruptionBudget", NAME) not in names
    assert all("leases" not in str(item) for item in default_objects if item["kind"] == "Role")


def test_replicas_agree_by_a_lease_and_are_kept_apart(template: Template) -> None:
    objects = template({**VALUES["replicas"], "controller.namespaces[0]": "research"})
    spec = find(objects, "Deployment", NAME)["spec"]
    assert (spec["replicas"], spec["strategy"]) == (2, {"type": "RollingUpdate"})
    labels = spec["selector"]["matchLabels"]
    [spread] = spec["template"]["spec"]["topologySpreadConstraints"]
    assert spread["labelSelector"]["matchLabels"] == labels
    budget = find(objects, "PodDisruptionBudget", NAME)["spec"]
    assert budget == {"maxUnavailable": 1, "selector": {"matchLabels": labels}}

    lease = environment(container_of(objects, NAME))["TRAINYARD_LEASE_NAME"]
    create, use = rules_of(objects, f"{NAME}-lease")
    assert (create["verbs"], "resourceNames" in create) == (["create"], False)
    assert (use["verbs"], use["resourceNames"]) == (["get", "update"], [lease])
    # There is one lease, beside the operator, for all namespaces that it serves.
    roles = [item["metadata"] for item in objects if item["kind"] == "Role"]
    assert [role["namespace"] for role in roles if role["name"] == f"{NAME}-lease"] == ["ns"]
    assert "leases" not in str(
        rules_of([o for o in objects if o["metadata"].get("namespace") == "ns"])
    )
    binding = find(objects, "RoleBinding", f"{NAME}-lease")
    assert binding["subjects"][0]["name"] == NAME


def test_a_standby_is_ready_and_a_start_that_waits_is_alive(objects: list[Object]) -> None:
    container = container_of(objects, NAME)
    paths = {
        probe: container[probe]["httpGet"]["path"]
        for probe in ("startupProbe", "livenessProbe", "readinessProbe")
    }
    assert paths == {
        "startupProbe": "/healthz",
        "livenessProbe": "/healthz",
        "readinessProbe": "/readyz",
    }


SAMPLES = {
    f"{family.name}{suffix}"
    for family in REGISTRY.collect()
    if family.name.startswith("trainyard_")
    for suffix in {
        "counter": ["_total"],
        "histogram": ["_bucket", "_count", "_sum"],
        "gauge": [""],
    }[family.type]
}
LABELS = {"namespace", "kind", "result", "reason", "phase", "verb", "resource", "code"}


def test_alerts_ask_for_metrics_and_labels_that_the_operator_has(template: Template) -> None:
    assert metrics.LEADER  # the registry is filled by its import
    rule = find(template(VALUES["metrics"]), "PrometheusRule", "trainyard")
    assert rule["metadata"]["labels"]["release"] == "prometheus"
    alerts = [alert for group in rule["spec"]["groups"] for alert in group["rules"]]
    assert len({alert["alert"] for alert in alerts}) == len(alerts) > 5
    for alert in alerts:
        expr = alert["expr"]
        assert alert["labels"]["severity"] in {"critical", "warning"}
        asked = re.findall(r"(\w+)\{([^}]*)\}", expr)
        assert {name for name, _ in asked} == set(re.findall(r"trainyard_\w+", expr)) <= SAMPLES
        for _, matchers in asked:
            # Another release's operator is none of this one's business.
            assert 'namespace="ns"' in matchers
            assert set(re.findall(r"(\w+)[=!]", matchers)) <= LABELS
        for phase in re.findall(r'phase=~?"([^"]*)"', expr):
            assert set(phase.split("|")) <= set(Phase)
        used = set(re.findall(r"\$labels\.(\w+)", alert["annotations"]["summary"]))
        by = re.search(r"by \(([^)]*)\)", expr)
        assert used <= set(by.group(1).split(", ") if by else [])
