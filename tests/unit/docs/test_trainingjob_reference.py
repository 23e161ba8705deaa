"""docs/trainingjob.md names everything that the schema has, with the defaults that it has."""

import json
import re
from typing import Any

import pytest
from trainyard_devtools.repo import ROOT
from trainyard_schema import GUIDES, ModelType, Phase, Reason, Stage
from trainyard_schema.crd import custom_resource_definition
from trainyard_schema.hyperparameters import MODELS

TEXT = (ROOT / "docs" / "trainingjob.md").read_text()
WORDS = set(re.findall(r"[A-Za-z_]+", " ".join(re.findall(r"`([^`]+)`", TEXT))))
SCHEMA = custom_resource_definition()["spec"]["versions"][0]["schema"]["openAPIV3Schema"]


@pytest.mark.parametrize("word", [*Phase, *Stage, *Reason])
def test_every_phase_stage_and_reason_is_documented(word: str) -> None:
    assert word in WORDS


@pytest.mark.parametrize("part", ["spec", "status"])
def test_every_field_is_documented(part: str) -> None:
    assert set(SCHEMA["properties"][part]["properties"]) <= WORDS


def test_the_table_of_reasons_is_that_of_the_schema() -> None:
    section = TEXT.partition("\n### Reasons\n")[2].partition("\n### ")[0]
    cells = [line.strip("| ").split(" | ") for line in section.splitlines() if line[:3] == "| `"]
    documented = [(reason.strip("`"), retried, advice) for reason, retried, _, advice in cells]
    assert documented == [
        (reason, GUIDES[reason].retried, GUIDES[reason].advice) for reason in Reason
    ]


def rows() -> dict[str, str]:
    """The rows of the hyperparameter tables by model type and name."""
    found = {}
    for section in TEXT.split("\n### ")[1:]:
        title = section.splitlines()[0].strip("`")
        for row in re.findall(r"^\| `(\w+)` \| (.*?) \|", section, flags=re.MULTILINE):
            found[f"{title}.{row[0]}"] = row[1]
    return found


def test_the_hyperparameter_tables_show_names_and_defaults() -> None:
    expected: dict[str, Any] = {
        f"{model_type}.{name}": json.dumps(default)
        for model_type in ModelType
        for name, default in MODELS[model_type]().model_dump(mode="json").items()
    }
    documented = {
        key: value for key, value in rows().items() if key.split(".")[0] in set(ModelType)
    }
    assert documented == expected
