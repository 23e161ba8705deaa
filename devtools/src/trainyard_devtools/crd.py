"""The chart's copy of the CustomResourceDefinition, generated from the schema package."""

from pathlib import Path
from typing import Any

import yaml
from trainyard_schema.crd import custom_resource_definition

from trainyard_devtools.steps import StepError

HEADER = "# Generated from schema/ by `make crd`: do not edit.\n"
KEEP = {"helm.sh/resource-policy": "keep"}
"""Helm leaves the CRD in place when the release goes: with it would go every TrainingJob."""


class _PlainDumper(yaml.SafeDumper):
    """Writes what occurs twice twice: a CRD with anchors is hard to read."""

    def ignore_aliases(self, data: object) -> bool:
        """Never refer back."""
        del data
        return True


def render() -> str:
    """The CRD as YAML, ready for the chart."""
    crd: dict[str, Any] = custom_resource_definition()
    crd["metadata"] = {**crd["metadata"], "annotations": KEEP}
    return HEADER + yaml.dump(
        crd, Dumper=_PlainDumper, sort_keys=False, allow_unicode=True, width=100
    )


def write(path: Path) -> bool:
    """Bring the file up to date. Returns whether that changed it."""
    text = render()
    if path.exists() and path.read_text() == text:
        return False
    path.write_text(text)
    return True


def check(path: Path) -> None:
    """Raise `StepError` unless the file is what `write` would write."""
    if not path.exists() or path.read_text() != render():
        raise StepError(f"{path} is out of date: run `make crd` and commit the result")
