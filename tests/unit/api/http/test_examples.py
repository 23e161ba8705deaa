"""The OpenAPI document shows what is sent and answered, and what it shows is true."""

from collections.abc import Iterator
from typing import Any

import jsonschema_rs
import pytest
from fastapi import FastAPI

Document = dict[str, Any]


@pytest.fixture
def document(app: FastAPI) -> Document:
    return app.openapi()


def operations(document: Document) -> Iterator[tuple[str, Document]]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield f"{method.upper()} {path}", operation


def contents(operation: Document) -> Iterator[list[Document]]:
    """What is sent, and what is answered when all goes well: by media type."""
    if "requestBody" in operation:
        yield list(operation["requestBody"]["content"].values())
    for status, answer in operation["responses"].items():
        if status.startswith("2") and "content" in answer:
            yield list(answer["content"].values())


def test_each_operation_has_examples(document: Document) -> None:
    schemas = document["components"]["schemas"]

    def has(shown: Any, *above: str) -> bool:
        if not isinstance(shown, dict):
            return False
        if shown.keys() & {"example", "examples"}:
            return True
        name = shown.get("$ref", "").rpartition("/")[2]
        if name:
            return name not in above and has(schemas[name], *above, name)
        inner = [shown.get("schema"), shown.get("items"), *shown.get("properties", {}).values()]
        inner += [*shown.get("anyOf", ()), *shown.get("allOf", ())]
        return any(has(one, *above) for one in inner)

    without = [
        name
        for name, operation in operations(document)
        if not all(any(map(has, content)) for content in contents(operation))
    ]
    assert without == []


def test_examples_are_what_the_schemas_say(document: Document) -> None:
    schemas = document["components"]
    wrong = []
    shown = [
        (name, schema, example)
        for name, schema in schemas["schemas"].items()
        for example in schema.get("examples", ())
    ]
    shown += [
        (name, content["schema"], content["example"])
        for name, operation in operations(document)
        for content in (one for found in contents(operation) for one in found)
        if "example" in content and "schema" in content
    ]
    for name, schema, example in shown:
        errors = jsonschema_rs.iter_errors({**schema, "components": schemas}, example)
        wrong += [f"{name}: {error.message} at {error.instance_path}" for error in errors]
    assert not wrong, "\n".join(wrong)


def test_no_schema_is_named_after_a_module(document: Document) -> None:
    """FastAPI does so where two have the same name; generated clients would, too."""
    assert [name for name in document["components"]["schemas"] if "__" in name] == []
