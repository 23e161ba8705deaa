"""What is to be trained: from options, or from the TrainingJobs of a file."""

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml
from pydantic import ValidationError
from trainyard_schema import TrainingJobSpec, names
from trainyard_schema.base import explain

from trainyard_client.cli.errors import CommandError, Exit

STDIN: Final = Path("-")


@dataclass(frozen=True)
class Wanted:
    """A training to be started. Without a name the API makes one."""

    name: str | None
    spec: TrainingJobSpec


def from_file(path: Path) -> list[Wanted]:
    """The TrainingJobs of a YAML or JSON file; `-` is standard input."""
    place = "standard input" if path == STDIN else str(path)
    try:
        text = sys.stdin.read() if path == STDIN else path.read_text(encoding="utf-8")
        documents = [one for one in yaml.safe_load_all(text) if one is not None]
    except OSError as error:
        raise CommandError(f"{place}: {error.strerror}") from error
    except (UnicodeDecodeError, yaml.YAMLError) as error:
        raise CommandError(f"{place}: this is no YAML: {error}") from error
    if not documents:
        raise CommandError(f"{place}: there is no TrainingJob in it")
    return list(_wanted(documents, place))


def _wanted(documents: Sequence[Any], place: str) -> Iterator[Wanted]:
    for document in documents:
        kind = document.get("kind") if isinstance(document, dict) else None
        if kind != names.KIND:
            found = f"a {kind}" if isinstance(kind, str) else "something else"
            hint = "; for a Model: kubectl apply -f" if kind == names.MODEL_KIND else ""
            raise CommandError(f"{place}: {found} stands where a {names.KIND} is wanted{hint}")
        metadata = document.get("metadata") or {}
        if not isinstance(metadata, dict):
            raise CommandError(f"{place}: metadata must have a name in it, and is {metadata!r}")
        if unknown := set(metadata) - {"name"}:
            raise CommandError(
                f"{place}: metadata.{min(unknown)} cannot be set through the API; "
                "leave it out, or use kubectl apply"
            )
        yield Wanted(metadata.get("name"), parse_spec(document.get("spec"), place))


def parse_spec(document: Any, place: str = "") -> TrainingJobSpec:
    """A spec that the schema knows. Raises `CommandError` that names the field."""
    try:
        return TrainingJobSpec.model_validate(document)
    except ValidationError as error:
        message = explain(error, prefix="spec")
        raise CommandError(f"{place}: {message}" if place else message, Exit.USAGE) from error


def parameters(given: Sequence[str]) -> dict[str, Any]:
    """`max_depth=6` as a hyperparameter; `xgboost.max_depth=6` as one of a model type."""
    found: dict[str, Any] = {}
    for text in given:
        path, sign, value = text.partition("=")
        if not sign or not path:
            raise CommandError(f"--param {text}: write NAME=VALUE", Exit.USAGE)
        *folders, name = path.split(".")
        place = found
        for folder in folders:
            place = place.setdefault(folder, {})
        try:
            place[name] = yaml.safe_load(value)
        except yaml.YAMLError as error:
            raise CommandError(f"--param {text}: this value is no YAML", Exit.USAGE) from error
    return found
