"""The base of every document: camelCase on the wire, snake_case in Python, nothing unknown."""

from typing import Any, Self

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic.alias_generators import to_camel


class Model(BaseModel):
    """A document of the contract. Immutable; unknown fields are an error, never ignored."""

    model_config = ConfigDict(
        alias_generator=to_camel,
        populate_by_name=True,
        extra="forbid",
        frozen=True,
        # `model_type` and the like are words of this domain, not of pydantic.
        protected_namespaces=(),
    )

    def to_dict(self) -> dict[str, Any]:
        """The JSON-ready document with the names used on the wire; None is left out."""
        return self.model_dump(mode="json", by_alias=True, exclude_none=True)

    def to_json(self) -> str:
        """The document as one compact line of JSON."""
        return self.model_dump_json(by_alias=True, exclude_none=True)

    @classmethod
    def from_stored(cls, document: dict[str, Any]) -> Self:
        """Read a document that another version of Trainyard may have written.

        Unlike `model_validate`, fields unknown to this version are dropped.
        """
        return cls.model_validate(document, extra="ignore")


def explain(error: ValidationError, *, prefix: str = "") -> str:
    """Put a validation error into one line that names each field and what is wrong with it.

    `prefix` goes before each field's path, for example `spec`.
    """
    problems = []
    for item in error.errors(include_url=False):
        path = ".".join(str(part) for part in ([prefix] if prefix else []) + list(item["loc"]))
        message = item["msg"].removeprefix("Value error, ")
        if item["type"] != "value_error" and not isinstance(item["input"], dict):
            message += f" (got {item['input']!r})"
        problems.append(f"{path}: {message}" if path else message)
    return "; ".join(problems)
