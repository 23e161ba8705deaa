"""The chart as Helm renders it, for every way of installing it that differs."""

import base64
import subprocess

import kubernetes_validate  # type: ignore[import-untyped]
import pytest
import yaml
from trainyard_devtools.crd import FILES
from trainyard_devtools.repo import CHART

from .rendering import (
    EXTERNAL,
    KUBERNETES,
    VALUES,
    Object,
    Template,
    container_of,
    environment,
    find,
    pod_specs,
)

pytestmark = pytest.mark.component


def test_lint_finds_nothing(helm: list[str]) -> None:
    subprocess.run([*helm, "lint", "--strict", str(CHART)], check=True, capture_output=True)


def test_every_object_is_one_that_kubernetes_knows(objects: list[Object]) -> None:
    for item in objects:
        if item["kind"] not in {"CustomResourceDefinition", "ServiceMonitor", "PrometheusRule"}:
            kubernetes_validate.validate(item, KUBERNETES, strict=True)


def test_names_that_yaml_reads_as_something_else_stay_names(template: Template) -> None:
    values = {
        "nameOverride": "on",
        "storage.bucket": "1e3",
        "storage.region": "1e3",
        "storage.existingSecret": "1e3",
        "auth.existingSecret": "1e3",
        "auth.issuer": "1e3",
        "database.existingSecret": "1e3",
        "database.bundled.persistence.storageClassName": "1e3",
        "api.ingress.enabled": "true",
        "api.ingress.host": "1e3",
        "api.ingress.className": "1e3",
        "api.ingress.tlsSecret": "1e3",
        "image.pullSecrets[0]": "1e3",
        "storage.bundled.persistence.storageClassName": "1e3",
        "metrics.serviceMonitor.enabled": "true",
    }
    for item in template(values, release="y", namespace="1e3"):
        if item["kind"] not in {"CustomResourceDefinition", "ServiceMonitor", "PrometheusRule"}:
            kubernetes_validate.validate(item, KUBERNETES, strict=True)


def test_long_release_names_are_cut_to_what_kubernetes_takes(template: Template) -> None:
    cut, whole = (
        {(item["kind"], item["metadata"]["name"]) for item in template({}, release=release)}
        for release in ("a" * 53, "trainyard")
    )
    assert max(len(name) for _, name in cut) <= 63
    # Its pods are labelled with this name, a dash and ten characters.
    assert max(len(name) for kind, name in cut if kind == "StatefulSet") <= 63 - 11
    assert len(cut) == len(whole)


def test_objects_stay_in_the_namespace_and_carry_the_labels(objects: list[Object]) -> None:
    for item in objects:
        if item["kind"] == "CustomResourceDefinition":
            continue
        metadata = item["metadata"]
        assert metadata["namespace"] == "ns"
        assert metadata["labels"]["app.kubernetes.io/instance"] == "trainyard"
        assert metadata["labels"]["app.kubernetes.io/managed-by"] == "Helm"


def test_every_pod_passes_pod_security_restricted(objects: list[Object]) -> None:
    specs = dict(pod_specs(objects))
    assert {"trainyard-controller", "trainyard-api", "trainyard-test"} <= set(specs)
    for name, spec in specs.items():
        assert not {"hostNetwork", "hostPID", "hostIPC"} & set(spec), name
        assert spec["securityContext"]["runAsNonRoot"] is True
        assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        for volume in spec.get("volumes", []):
            assert set(volume) - {"name"} <= {"emptyDir", "configMap", "secret", "projected"}
        for container in spec["containers"] + spec.get("initContainers", []):
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            }
            assert all("hostPort" not in port for port in container.get("ports", []))


def test_every_container_says_what_it_needs_and_long_running_ones_are_probed(
    objects: list[Object],
) -> None:
    for name, spec in pod_specs(objects):
        for container in spec["containers"] + spec.get("initContainers", []):
            assert {"cpu", "memory"} <= set(container["resources"]["requests"]), name
            assert "memory" in container["resources"]["limits"], name
        if spec.get("restartPolicy") != "Never":
            for container in spec["containers"]:
                assert {"livenessProbe", "readinessProbe"} <= set(container), name


def test_no_pod_gets_variables_for_services(objects: list[Object]) -> None:
    # Kubernetes would set TRAINYARD_API_PORT=tcp://10.96.… for the Service trainyard-api.
    for _, spec in pod_specs(objects):
        assert spec["enableServiceLinks"] is False


def test_only_the_operator_and_the_api_hold_cluster_credentials(objects: list[Object]) -> None:
    for name, spec in pod_specs(objects):
        expected = name in {"trainyard-controller", "trainyard-api"}
        assert spec["automountServiceAccountToken"] is expected, name
    for item in objects:
        if item["kind"] == "ServiceAccount":
            assert item["automountServiceAccountToken"] is False


def test_roles_have_no_wildcards_and_no_reach_beyond_the_namespace(objects: list[Object]) -> None:
    kinds = {item["kind"] for item in objects}
    assert not {"ClusterRole", "ClusterRoleBinding"} & kinds
    for item in objects:
        if item["kind"] == "Role":
            for rule in item["rules"]:
                assert "*" not in rule["verbs"] + rule["resources"] + rule["apiGroups"]
                assert not {"secrets", "pods/exec"} & set(rule["resources"])


def test_secrets_reach_pods_by_reference_only(default_objects: list[Object]) -> None:
    secrets = [
        base64.b64decode(value).decode()
        for item in default_objects
        if item["kind"] == "Secret"
        for value in item["data"].values()
    ]
    # jwt-secret, service-token; the access key and its secret; the database's password and URL
    assert len(secrets) == 6
    assert len(set(secrets)) == 6
    others = yaml.safe_dump([item for item in default_objects if item["kind"] != "Secret"])
    for secret in secrets:
        assert secret not in others


def test_generated_secrets_are_long_enough_and_new_each_time(template: Template) -> None:
    first, second = (template({}) for _ in range(2))
    for name, key in (
        ("trainyard-auth", "jwt-secret"),
        ("trainyard-auth", "service-token"),
        ("trainyard-postgres", "password"),
    ):
        one, other = (
            base64.b64decode(find(o, "Secret", name)["data"][key]) for o in (first, second)
        )
        assert len(one) >= 32
        assert one != other


def test_one_rendering_agrees_with_itself_about_generated_secrets(
    default_objects: list[Object],
) -> None:
    for secret, components in (
        ("s3", {"api", "controller", "s3"}),
        ("database", {"api", "postgres"}),
    ):
        checksums = {
            item["metadata"]["name"]: checksum
            for item in default_objects
            if "template" in item.get("spec", {})
            and (annotations := item["spec"]["template"]["metadata"].get("annotations", {}))
            and (checksum := annotations.get(f"checksum/{secret}-secret"))
        }
        assert set(checksums) == {f"trainyard-{component}" for component in components}
        assert len(set(checksums.values())) == 1


def test_own_secrets_are_used_and_none_is_generated(template: Template) -> None:
    objects = template(VALUES["own-secrets"])
    assert all(item["kind"] != "Secret" for item in objects)
    s3 = environment(container_of(objects, "trainyard-s3", "StatefulSet"))
    assert s3["ROOT_ACCESS_KEY_ID"]["secretKeyRef"]["name"] == "my-s3"
    postgres = environment(container_of(objects, "trainyard-postgres", "StatefulSet"))
    assert postgres["DATABASE_PASSWORD"]["secretKeyRef"]["name"] == "my-database"
    api = environment(container_of(objects, "trainyard-api"))
    assert api["TRAINYARD_API_JWT_SECRET"] == {
        "secretKeyRef": {"name": "my-auth", "key": "jwt-secret"}
    }
    # A Secret of yours may be without it: then nobody may call POST /retrain.
    assert api["TRAINYARD_API_SERVICE_TOKEN"] == {
        "secretKeyRef": {"name": "my-auth", "key": "service-token", "optional": True}
    }


def test_the_crds_stay_and_can_be_left_out(template: Template) -> None:
    def crds(objects: list[Object]) -> list[Object]:
        return [item for item in objects if item["kind"] == "CustomResourceDefinition"]

    files = [yaml.safe_load((CHART / "files" / name).read_text()) for name in FILES]
    assert crds(template({})) == files
    assert crds(template({"crds.enabled": "false"})) == []


def test_storage_reaches_the_operator_and_the_api(template: Template) -> None:
    for values, url, bundled in (
        ({}, "http://trainyard-s3.ns:7070", True),
        (EXTERNAL, "https://s3.example.com:9000", False),
        (VALUES["aws"], "", False),
    ):
        objects = template(values)
        stateful = {o["metadata"]["name"] for o in objects if o["kind"] == "StatefulSet"}
        assert ("trainyard-s3" in stateful) is bundled
        for name, variable in (
            ("trainyard-controller", "TRAINYARD_S3_ENDPOINT_URL"),
            ("trainyard-api", "TRAINYARD_API_S3_ENDPOINT_URL"),
        ):
            deployment = find(objects, "Deployment", name)
            [container] = deployment["spec"]["template"]["spec"]["containers"]
            assert environment(container)[variable] == url
            secret = environment(container)["AWS_SECRET_ACCESS_KEY"]["secretKeyRef"]
            assert secret["name"] == ("trainyard-s3" if bundled else "my-s3")


def test_the_bucket_exists_before_the_s3_server_starts(template: Template) -> None:
    objects = template({"storage.bucket": "my-models"})
    [init] = find(objects, "StatefulSet", "trainyard-s3")["spec"]["template"]["spec"][
        "initContainers"
    ]
    assert init["command"] == ["/usr/local/bin/mkbucket", "/data/my-models"]


def test_image_names(template: Template) -> None:
    def images(values: dict[str, str]) -> set[str]:
        objects = template(values)
        found = {
            container["image"]
            for _, spec in pod_specs(objects)
            for container in spec["containers"] + spec.get("initContainers", [])
        }
        controller = find(objects, "Deployment", "trainyard-controller")
        [container] = controller["spec"]["template"]["spec"]["containers"]
        return found | {environment(container)["TRAINYARD_TRAINER_IMAGE"]}

    names = ("controller", "api", "s3-server", "postgres", "trainer")
    assert images({}) == {f"trainyard/{name}:0.1.0" for name in names}
    assert images({"image.registry": "127.0.0.1:5050/", "image.tag": "abc"}) == {
        f"127.0.0.1:5050/trainyard/{name}:abc" for name in names
    }
    assert "trainyard/trainer:mine" in images({"trainer.image.tag": "mine"})


def test_trainers_reach_dns_and_the_object_store_only(template: Template) -> None:
    dns = {"ports": [{"port": 53, "protocol": "UDP"}, {"port": 53, "protocol": "TCP"}]}

    def egress(values: dict[str, str]) -> list[Object]:
        policy = find(template(values), "NetworkPolicy", "trainyard-trainer")["spec"]
        assert policy["podSelector"] == {
            "matchLabels": {"app.kubernetes.io/managed-by": "trainyard"}
        }
        assert policy["policyTypes"] == ["Ingress", "Egress"]
        rules: list[Object] = policy["egress"]
        return rules

    s3_pods = {
        "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "ns"}},
        "podSelector": {
            "matchLabels": {
                "app.kubernetes.io/name": "trainyard",
                "app.kubernetes.io/instance": "trainyard",
                "app.kubernetes.io/component": "s3",
            }
        },
    }
    assert egress({}) == [dns, {"ports": [{"port": 7070}], "to": [s3_pods]}]
    assert egress(VALUES["external-s3"]) == [
        dns,
        {"ports": [{"port": 9000}], "to": [{"ipBlock": {"cidr": "10.20.0.0/16"}}]},
    ]
    assert egress(VALUES["aws"]) == [dns, {"ports": [{"port": 443}]}]
    assert egress({**EXTERNAL, "storage.endpointUrl": "http://s3"})[1] == {"ports": [{"port": 80}]}


def test_the_operator_and_the_api_reach_the_object_store(template: Template) -> None:
    for values, rule in (
        ({}, {"ports": [{"port": 7070}]}),
        (VALUES["external-s3"], {"to": [{"ipBlock": {"cidr": "10.20.0.0/16"}}]}),
    ):
        objects = template(values)
        for component in ("controller", "api"):
            policy = find(objects, "NetworkPolicy", f"trainyard-{component}")["spec"]
            assert any(rule.items() <= egress.items() for egress in policy["egress"]), component
    [ingress] = find(template({}), "NetworkPolicy", "trainyard-s3")["spec"]["ingress"]
    components = [
        peer["podSelector"]["matchLabels"].get("app.kubernetes.io/component")
        for peer in ingress["from"]
    ]
    assert components == [None, "controller", "api"]


def test_further_namespaces_get_what_the_operator_and_the_trainers_need(template: Template) -> None:
    objects = template({"controller.namespaces[0]": "research", "controller.namespaces[1]": "ns"})
    elsewhere = {
        (item["kind"], item["metadata"]["name"])
        for item in objects
        if item["metadata"].get("namespace") == "research"
    }
    assert elsewhere == {
        ("Role", "trainyard-controller"),
        ("RoleBinding", "trainyard-controller"),
        ("ServiceAccount", "trainyard-trainer"),
        ("Secret", "trainyard-s3"),
        ("NetworkPolicy", "trainyard-trainer"),
    }
    secrets = [item["data"] for item in objects if item["metadata"]["name"] == "trainyard-s3"
               and item["kind"] == "Secret"]  # fmt: skip
    assert len(secrets) == 2
    assert secrets[0] == secrets[1]
    for item in objects:
        if item["kind"] == "RoleBinding":
            assert [subject["namespace"] for subject in item["subjects"]] == ["ns"]
    deployment = find(objects, "Deployment", "trainyard-controller")
    [container] = deployment["spec"]["template"]["spec"]["containers"]
    assert environment(container)["TRAINYARD_NAMESPACES"] == "ns,research"
    [ingress] = find(objects, "NetworkPolicy", "trainyard-s3")["spec"]["ingress"]
    [expression] = ingress["from"][0]["namespaceSelector"]["matchExpressions"]
    assert expression["values"] == ["ns", "research"]


def test_every_pod_is_under_a_policy_of_its_own(default_objects: list[Object]) -> None:
    selectors = [
        item["spec"]["podSelector"]["matchLabels"]
        for item in default_objects
        if item["kind"] == "NetworkPolicy" and item["metadata"]["name"] != "trainyard-default-deny"
    ]
    for item in default_objects:
        if item["kind"] == "Pod":
            labels = item["metadata"]["labels"]
        elif "template" in item.get("spec", {}):
            labels = item["spec"]["template"]["metadata"]["labels"]
        else:
            continue
        assert any(selector.items() <= labels.items() for selector in selectors), labels


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"storage.endpointUrl": "http://minio:9000"}, "set storage.bundled.enabled=false"),
        ({"storage.bundled.enabled": "false"}, "set storage.existingSecret"),
        ({"database.bundled.enabled": "false"}, "set database.existingSecret"),
        ({"auth.jwksUrl": "https://issuer/keys"}, "needs auth.issuer"),
        ({"auth.jwksUrl": "https://me:secret@issuer/keys"}, "/auth/jwksUrl"),
        ({"auth.defaultRole": "owner"}, "/auth/defaultRole"),
        ({"api.webhook.url": "https://alerts.example.com"}, "set both or neither"),
        ({"api.ingress.enabled": "true"}, "needs api.ingress.host"),
        ({"api.service.nodePort": "30800"}, "needs api.service.type NodePort"),
        ({"api.defaults.data.uri": "s3://trainyard/x.csv"}, "set both or neither"),
        ({"imageRegistry": "x"}, "imageRegistry"),
        ({"storage.bundled.enable": "false"}, "enable"),
        ({"auth.trainApi": "none"}, "/auth/trainApi"),
        ({"storage.bucket": "My_Bucket"}, "/storage/bucket"),
        ({"api.defaults.resources.limits.cpu": "lots"}, "/api/defaults/resources"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_values_that_make_no_sense_are_refused(
    template: Template, values: dict[str, str], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        template(values)


def test_notes_name_the_next_commands(helm: list[str]) -> None:
    done = subprocess.run(
        [*helm, "install", "trainyard", str(CHART), "--dry-run=client", "--namespace", "ns"],
        capture_output=True,
        text=True,
        check=True,
    )
    notes = done.stdout.partition("NOTES:")[2]
    assert "helm test trainyard -n ns" in notes
    assert "kubectl -n ns get trainingjobs --watch" in notes
