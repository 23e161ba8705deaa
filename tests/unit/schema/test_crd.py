from typing import Any

import pytest
from trainyard_schema.crd import custom_resource_definition, structural
from trainyard_schema.model_crd import model_custom_resource_definition


def schema_of(*path: str) -> dict[str, Any]:
    node: dict[str, Any] = custom_resource_definition()["spec"]["versions"][0]["schema"][
        "openAPIV3Schema"
    ]
    for part in path:
        node = node["properties"][part]
    return node


def test_every_immutable_field_has_its_rule() -> None:
    spec = schema_of("spec")
    rules = " ".join(rule["rule"] for rule in spec["x-kubernetes-validations"])
    mutable = {"suspend", "cancel", "ttlSecondsAfterFinished"}
    for field in spec["properties"]:
        assert (f"self.{field} == oldSelf.{field}" in rules) == (field not in mutable)


def test_a_default_stands_complete_at_every_level() -> None:
    resources = schema_of("spec", "resources")
    limits = {"cpu": "1", "memory": "1Gi"}
    assert resources["default"]["limits"] == limits
    assert resources["properties"]["limits"]["default"] == limits
    assert resources["properties"]["limits"]["properties"]["memory"]["default"] == "1Gi"


@pytest.mark.parametrize(
    "crd", [custom_resource_definition(), model_custom_resource_definition()], ids=["job", "model"]
)
def test_nothing_of_json_schema_is_left(crd: dict[str, Any]) -> None:
    def walk(node: Any) -> None:
        if isinstance(node, dict):
            assert not {"$ref", "$defs", "const", "title"} & {
                key for key in node if not isinstance(node[key], dict) or key.startswith("$")
            }
            for value in node.values():
                walk(value)
        elif isinstance(node, list):
            for value in node:
                walk(value)

    walk(crd)


def test_exclusive_bounds_are_openapi_booleans() -> None:
    assert structural({"type": "number", "exclusiveMinimum": 0}, {}) == {
        "type": "number",
        "minimum": 0,
        "exclusiveMinimum": True,
    }


def test_a_union_is_refused() -> None:
    with pytest.raises(TypeError, match="no place for a union"):
        structural({"anyOf": [{"type": "integer"}, {"type": "string"}]}, {})
