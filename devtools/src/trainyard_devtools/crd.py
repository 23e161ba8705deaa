"""The chart's copies of the CustomResourceDefinitions, generated from the schema package."""

from pathlib import Path
from typing import Any

import yaml
from trainyard_schema.crd import custom_resource_definition
from trainyard_schema.model_crd import model_custom_resource_definition

from trainyard_devtools.steps import StepError

HEADER = "# Generated from schema/ by `make crd`: do not edit.\n"
KEEP = {"helm.sh/resource-policy": "keep"}
"""Helm leaves the CRDs in place when the release goes: with them would go every object."""
FILES = {
    "crd.yaml": custom_resource_definition,
    "model-crd.yaml": model_custom_resource_definition,
}
"""The files of the chart's folder `files/`."""


class _PlainDumper(yaml.SafeDumper):
    """Writes what occurs twice twice: a CRD with anchors is hard to read."""

    def ignore_aliases(self, data: object) -> bool:
        """Never refer back."""
        del data
        return True


def render(crd: dict[str, Any]) -> str:
    """A CRD as YAML, ready for the chart."""
    crd["metadata"] = {**crd["metadata"], "annotations": KEEP}
    return HEADER + yaml.dump(
        crd, Dumper=_PlainDumper, sort_keys=False, allow_unicode=True, width=100
    )


def _outdated(folder: Path) -> dict[Path, str]:
    texts = {folder / name: render(generate()) for name, generate in FILES.items()}
    return {
        path: text for path, text in texts.items() if not path.exists() or path.read_text() != text
    }


def write(folder: Path) -> list[Path]:
    """Bring the files in the folder up to date. Returns those that this changed."""
    outdated = _outdated(folder)
    for path, text in outdated.items():
        path.write_text(text)
    return list(outdated)


def check(folder: Path) -> None:
    """Raise `StepError` unless every file is what `write` would write."""
    for path in _outdated(folder):
        raise StepError(f"{path} is out of date: run `make crd` and commit the result")
