"""Examples of answers, for the OpenAPI document. They are in `examples.json`."""

import json
from importlib.resources import files
from typing import Any

from fastapi import FastAPI

Document = dict[str, Any]


def install(app: FastAPI) -> None:
    """Have the application's OpenAPI document show them, as FastAPI says to extend it."""
    generate = app.openapi

    def openapi() -> Document:
        if app.openapi_schema is None:
            app.openapi_schema = _with_examples(generate())
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]


def _with_examples(document: Document) -> Document:
    examples = json.loads(files(__package__).joinpath("examples.json").read_text())
    for name, example in examples["schemas"].items():
        document["components"]["schemas"][name]["examples"] = [example]
    for operation, by_media_type in examples["operations"].items():
        method, _, path = operation.partition(" ")
        for answer in _successes(document["paths"][path][method.lower()]):
            for media_type, example in by_media_type.items():
                answer["content"][media_type]["example"] = example
    return document


def _successes(operation: Document) -> list[Document]:
    return [
        answer
        for status, answer in operation["responses"].items()
        if status.startswith("2") and "content" in answer
    ]
