"""docs/model.md names everything that the schema has, with the defaults that it has."""

import re
from typing import Any

import pytest
from trainyard_controller.models.champions import STORAGE_UNAVAILABLE
from trainyard_controller.models.publication import FOREIGN_HISTORY, VERSION_MISSING
from trainyard_controller.models.reconcile import INVALID_SPEC, REFUSED_RETRY_SECONDS, RUN_REFUSED
from trainyard_devtools.repo import ROOT
from trainyard_schema import Action, ModelConditionType, Outcome, names
from trainyard_schema.model_crd import model_custom_resource_definition

TEXT = (ROOT / "docs" / "model.md").read_text()
WORDS = set(re.findall(r"[A-Za-z_0-9]+", " ".join(re.findall(r"`([^`\n]+)`", TEXT))))
SCHEMA = model_custom_resource_definition()["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
ROWS = dict(re.findall(r"(?m)^\| `([\w.]+)` \| (.*?) \|", TEXT.partition("## status")[0]))


def fields(schema: dict[str, Any]) -> set[str]:
    """The names of all fields, also of those within fields, but not of a TrainingJob's."""
    found = set()
    for name, inner in schema.get("properties", {}).items():
        found |= {name} if name == "spec" else {name, *fields(inner)}
    return found


@pytest.mark.parametrize("part", ["spec", "status"])
def test_every_field_is_documented(part: str) -> None:
    assert fields(SCHEMA["properties"][part]) <= WORDS


def test_every_reason_and_condition_is_documented() -> None:
    assert {INVALID_SPEC, RUN_REFUSED, *ModelConditionType} <= WORDS
    assert f"every {REFUSED_RETRY_SECONDS:.0f} s" in TEXT
    assert {STORAGE_UNAVAILABLE, VERSION_MISSING, FOREIGN_HISTORY} <= WORDS
    assert {*Outcome, *Action} <= WORDS


def test_every_default_is_documented() -> None:
    def defaults(schema: dict[str, Any], prefix: str = "") -> dict[str, str]:
        found = {}
        for name, inner in schema["properties"].items():
            if "default" in inner:
                default = inner["default"]
                text = str(default).lower() if isinstance(default, bool) else str(default)
                found[f"{prefix}{name}"] = f"`{text}`" if isinstance(default, str | bool) else text
            elif "properties" in inner and name != "template":
                found |= defaults(inner, f"{prefix}{name}.")
        return found

    expected = defaults(SCHEMA["properties"]["spec"])
    assert {name: ROWS[name] for name in expected} == expected


@pytest.mark.parametrize(
    "annotation",
    [
        names.RETRAIN_ANNOTATION,
        names.ROLLBACK_ANNOTATION,
        names.PROMOTE_ANNOTATION,
        names.REJECT_ANNOTATION,
        names.REQUESTER_ANNOTATION,
    ],
)
def test_the_annotations_are_documented(annotation: str) -> None:
    assert f"`{annotation}`" in TEXT


def test_the_short_name_is_documented() -> None:
    assert f"short name `{names.MODEL_SHORT_NAME}`" in TEXT
