"""Commands that the documentation and the demo tell people to type name things that are there."""

import re

import pytest
import yaml
from trainyard_devtools.demo import what_next
from trainyard_devtools.repo import ROOT

EXAMPLES = {path: path.read_text() for path in sorted((ROOT / "examples").glob("*.yaml"))}
CODE = re.compile(r"```.*?```|`[^`]+`", flags=re.DOTALL)
RUN = "the-demos-run"
TEXTS = {
    "the demo's last words": what_next(RUN),
    **{
        str(path.relative_to(ROOT)): "\n".join(CODE.findall(path.read_text()))
        for path in (*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"))
    },
    **{str(path.relative_to(ROOT)): text for path, text in EXAMPLES.items()},
}
NAMES = {
    example["metadata"]["name"]
    for text in EXAMPLES.values()
    for example in yaml.safe_load_all(text)
} | {RUN}
TARGETS = re.findall(r"^([a-z]+):.*## ", (ROOT / "Makefile").read_text(), flags=re.MULTILINE)


def all_of(pattern: str) -> list[tuple[str, str]]:
    found = [(place, name) for place, text in TEXTS.items() for name in re.findall(pattern, text)]
    assert found, pattern
    return found


@pytest.mark.parametrize(
    ("place", "name"),
    all_of(
        r"kubectl (?:get|describe|patch|delete|annotate) (?:tj|trainingjob|model)[ /]"
        r"([a-z][-a-z0-9]*)"
    ),
)
def test_an_object_is_one_of_the_examples(place: str, name: str) -> None:
    assert name in NAMES, place


@pytest.mark.parametrize(("place", "path"), all_of(r"kubectl apply -f (\S+)"))
def test_a_manifest_is_there(place: str, path: str) -> None:
    assert (ROOT / path).is_file(), place


@pytest.mark.parametrize(("place", "target"), all_of(r"(?m)(?:^ *|[`(])make (?:-s )?([a-z]+)\b"))
def test_a_target_is_in_the_makefile(place: str, target: str) -> None:
    assert target in TARGETS, place
