"""What can be said about the chart, the examples and skaffold.yaml without Helm."""

import ast
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml
from trainyard_controller.models.schedule import Schedule
from trainyard_devtools import crd
from trainyard_devtools.images import IMAGES
from trainyard_devtools.repo import API_NODE_PORT, CHART, DEPLOY, EXAMPLES, ROOT
from trainyard_devtools.steps import StepError
from trainyard_schema import ModelSpec, ModelType, names
from trainyard_schema.run import StorageConfig, run_config
from trainyard_schema.spec import TrainingJobSpec

SCHEMA = json.loads((CHART / "values.schema.json").read_text())


def load(path: Path) -> Any:
    return yaml.safe_load(path.read_text())


def load_all(path: Path) -> list[Any]:
    return list(yaml.safe_load_all(path.read_text()))


def test_the_crds_are_those_that_the_schema_generates() -> None:
    crd.check(CHART / "files")


def test_writing_the_crds_twice_changes_nothing(tmp_path: Path) -> None:
    with pytest.raises(StepError, match="run `make crd`"):
        crd.check(tmp_path)
    assert crd.write(tmp_path) == [tmp_path / name for name in crd.FILES]
    assert crd.write(tmp_path) == []
    crd.check(tmp_path)


@pytest.mark.parametrize("name", crd.FILES)
def test_helm_keeps_a_crd(name: str) -> None:
    assert load(CHART / "files" / name)["metadata"]["annotations"] == crd.KEEP


def test_no_object_of_the_values_schema_takes_unknown_keys() -> None:
    open_objects = {"global", "annotations", "labels", "nodeSelector"}

    def check(name: str, schema: dict[str, Any]) -> None:
        if schema.get("type") == "object" and name not in open_objects:
            assert schema["additionalProperties"] is False, name
        for key, value in schema.get("properties", {}).items():
            check(key, value)
        if "items" in schema:
            check(f"{name}[]", schema["items"])

    check("values", SCHEMA)
    for name, definition in SCHEMA["$defs"].items():
        check(name, definition)


def test_every_value_is_in_the_schema_and_every_key_of_the_schema_has_a_default() -> None:
    def compare(path: str, values: dict[str, Any], schema: dict[str, Any]) -> None:
        if "$ref" in schema:
            schema = SCHEMA["$defs"][schema["$ref"].rpartition("/")[2]]
        properties = schema.get("properties")
        if properties is None or path.endswith(".resources"):
            return
        assert set(values) == set(properties) - {"global"}, path
        for key, value in values.items():
            if isinstance(value, dict):
                compare(f"{path}.{key}", value, properties[key])

    compare("values", load(CHART / "values.yaml"), SCHEMA)


def test_the_demo_and_kind_agree_on_the_node_port() -> None:
    service = load(DEPLOY / "values-demo.yaml")["api"]["service"]
    assert service == {"type": "NodePort", "nodePort": API_NODE_PORT}
    [node] = load(DEPLOY / "kind-config.yaml")["nodes"]
    [mapping] = node["extraPortMappings"]
    assert mapping["containerPort"] == API_NODE_PORT
    assert (mapping["listenAddress"], mapping["hostPort"]) == ("127.0.0.1", 8000)


MODELS = [EXAMPLES / "model.yaml", EXAMPLES / "retrain.yaml"]
TRAINING_JOBS = sorted(set(EXAMPLES.glob("*.yaml")) - set(MODELS))


@pytest.mark.parametrize("model_type", [*ModelType, "all"])
def test_each_model_type_has_an_example(model_type: str) -> None:
    assert load(EXAMPLES / f"{model_type}.yaml")["spec"]["modelType"] == model_type


@pytest.mark.parametrize("path", TRAINING_JOBS, ids=lambda path: path.stem)
def test_an_example_is_a_training_job_that_can_run(path: Path) -> None:
    job = load(path)
    assert (job["apiVersion"], job["kind"]) == (names.API_VERSION, names.KIND)
    spec = TrainingJobSpec.model_validate(job["spec"])
    run_config(
        spec,
        namespace="default",
        name=job["metadata"]["name"],
        uid="0",
        storage=StorageConfig(bucket="trainyard"),
        image="trainyard/trainer",
    )


@pytest.mark.parametrize(
    "example",
    [one for path in MODELS for one in load_all(path)],
    ids=lambda one: one["metadata"]["name"],
)
def test_an_example_is_a_model_that_can_run(example: dict[str, Any]) -> None:
    assert (example["apiVersion"], example["kind"]) == (names.API_VERSION, names.MODEL_KIND)
    spec = ModelSpec.model_validate(example["spec"])
    assert spec.schedule is not None
    assert Schedule.parse(spec.schedule, spec.time_zone).following(datetime.now(UTC))
    assert spec.promotion.gate is not None


def test_the_retrain_set_is_that_of_its_api() -> None:
    found = [one["metadata"]["name"] for one in load_all(EXAMPLES / "retrain.yaml")]
    assert found == ["probability", "factors", "comparison"]


def test_the_examples_use_the_table_that_the_demo_uploads() -> None:
    demo = load(DEPLOY / "values-demo.yaml")["api"]["defaults"]["data"]
    for path in EXAMPLES.glob("*.yaml"):
        for example in load_all(path):
            spec = example["spec"]
            data = spec.get("template", {}).get("spec", spec)["data"]
            assert {key: data[key] for key in demo} == demo, path


def test_skaffold_builds_every_image_from_its_dockerfile() -> None:
    artifacts = {
        artifact["image"]: (artifact["context"], artifact["docker"]["dockerfile"])
        for artifact in load(ROOT / "skaffold.yaml")["build"]["artifacts"]
    }
    assert set(artifacts) == {image.repository for image in IMAGES}
    for image in IMAGES:
        context, dockerfile = artifacts[image.repository]
        assert (ROOT / context) == (ROOT / image.context)
        assert ROOT / context / dockerfile == ROOT / image.dockerfile


def test_skaffold_deploys_the_images_that_it_built() -> None:
    config = load(ROOT / "skaffold.yaml")
    [release] = config["deploy"]["helm"]["releases"]
    assert config["deploy"]["kubeContext"] == "kind-" + load(DEPLOY / "kind-config.yaml")["name"]
    assert ROOT / release["chartPath"] == CHART
    assert [ROOT / name for name in release["valuesFiles"]] == [DEPLOY / "values-demo.yaml"]
    values = load(CHART / "values.yaml")
    for path, template in release["setValueTemplates"].items():
        *parents, key = path.split(".")
        at = values
        for parent in parents:
            at = at[parent]
        repository = at["repository"].replace("/", "_").replace("-", "_")
        kind = {"repository": "REPO", "tag": "TAG"}[key]
        assert template == f"{{{{.IMAGE_{kind}_{repository}}}}}"
    assert len(release["setValueTemplates"]) == 2 * len(IMAGES)


def test_the_smoke_test_is_python_without_template_braces() -> None:
    source = (CHART / "files" / "smoke_test.py").read_text()
    ast.parse(source)
    assert "{{" not in source
