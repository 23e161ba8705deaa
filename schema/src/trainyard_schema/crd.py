"""The CustomResourceDefinition of TrainingJob, generated from the pydantic models."""

from collections.abc import Mapping
from typing import Any

from trainyard_schema import names
from trainyard_schema.spec import QUANTITY_PATTERN, TrainingJobSpec
from trainyard_schema.status import TrainingJobStatus

MUTABLE_FIELDS = ("suspend", "cancel", "ttlSecondsAfterFinished")

PRINTER_COLUMNS: list[dict[str, Any]] = [
    {"name": "Model", "type": "string", "jsonPath": ".status.model"},
    {"name": "Type", "type": "string", "jsonPath": ".spec.modelType"},
    {"name": "Phase", "type": "string", "jsonPath": ".status.phase"},
    {"name": "Progress", "type": "integer", "jsonPath": ".status.progress.percent",
     "description": "Percent"},
    {"name": "Metric", "type": "string", "jsonPath": ".status.primaryMetric"},
    {"name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp"},
    {"name": "Reason", "type": "string", "jsonPath": ".status.reason", "priority": 1},
    {"name": "Attempts", "type": "integer", "jsonPath": ".status.attempts", "priority": 1},
    {"name": "Job", "type": "string", "jsonPath": ".status.jobName", "priority": 1},
]  # fmt: skip

_INT_OR_STRING = {
    "anyOf": [{"type": "integer"}, {"type": "string"}],
    "pattern": QUANTITY_PATTERN,
    "x-kubernetes-int-or-string": True,
}
_KEPT = ("type", "enum", "format", "pattern", "minLength", "maxLength", "minItems", "maxItems",
         "maxProperties", "minimum", "maximum", "default")  # fmt: skip


def structural(schema: Mapping[str, Any], definitions: Mapping[str, Any]) -> dict[str, Any]:
    """Turn pydantic's JSON Schema (2020-12) into a structural schema of OpenAPI v3 as Kubernetes takes it.

    References are resolved, `X | None` becomes an optional X, and exclusive bounds become OpenAPI's booleans.
    """
    if "$ref" in schema:
        target = definitions[schema["$ref"].rpartition("/")[2]]
        overlay = {key: value for key, value in schema.items() if key != "$ref"}
        return structural({**target, **overlay}, definitions)
    if schema.get("x-kubernetes-int-or-string"):
        kept = {key: schema[key] for key in ("description", "default") if key in schema}
        return {**kept, **_INT_OR_STRING}
    options = [option for option in schema.get("anyOf", []) if option.get("type") != "null"]
    if options:
        if len(options) > 1:
            raise TypeError(f"a structural schema has no place for a union: {schema}")
        outer = {key: value for key, value in schema.items() if key != "anyOf"}
        return structural({**options[0], **outer}, definitions)

    out: dict[str, Any] = {}
    if description := schema.get("description"):
        out["description"] = " ".join(description.split())
    out.update({key: schema[key] for key in _KEPT if schema.get(key) is not None})
    if "const" in schema:
        out["enum"] = [schema["const"]]
    for bound in ("Minimum", "Maximum"):
        if (limit := schema.get(f"exclusive{bound}")) is not None:
            out[bound.lower()] = limit
            out[f"exclusive{bound}"] = True
    if "items" in schema:
        out["items"] = structural(schema["items"], definitions)
    if "properties" in schema:
        out["properties"] = {
            name: structural(value, definitions) for name, value in schema["properties"].items()
        }
        if required := schema.get("required"):
            out["required"] = required
    elif schema.get("type") == "object":
        values = schema.get("additionalProperties")
        if isinstance(values, Mapping) and values:
            out["additionalProperties"] = structural(values, definitions)
        else:
            out["x-kubernetes-preserve-unknown-fields"] = True
    return out


def _rule(rule: str, message: str, **more: str) -> dict[str, str]:
    return {"rule": rule, "message": message, **more}


def _immutable(field: str) -> dict[str, str]:
    return _rule(
        f"has(self.{field}) == has(oldSelf.{field}) && (!has(self.{field}) || self.{field} == oldSelf.{field})",
        f"{field} is immutable: create a new TrainingJob instead",
    )


def _fits(resource: str) -> dict[str, str]:
    return _rule(
        f"quantity(string(self.requests.{resource})).compareTo(quantity(string(self.limits.{resource}))) <= 0",
        f"requests.{resource} must not be more than limits.{resource}",
    )


def _spec_schema() -> dict[str, Any]:
    raw = TrainingJobSpec.model_json_schema(by_alias=True, mode="validation")
    spec = structural(raw, raw.get("$defs", {}))
    properties = spec["properties"]
    properties["data"]["x-kubernetes-validations"] = [
        _rule(
            "!has(self.exclude) || !(self.target in self.exclude)",
            "exclude must not contain the target",
        )
    ]
    # Kubernetes fills in defaults from the outside in, so each object on the way needs one as well.
    resources = properties["resources"]
    for holder in (resources, *resources["properties"].values()):
        holder["default"] = {}
    properties["resources"]["x-kubernetes-validations"] = [_fits("cpu"), _fits("memory")]
    spec["x-kubernetes-validations"] = [
        *(_immutable(field) for field in properties if field not in MUTABLE_FIELDS),
        _rule(
            "!oldSelf.cancel || self.cancel",
            "cancel is final: create a new TrainingJob to train again",
        ),
    ]
    return spec


def _status_schema() -> dict[str, Any]:
    raw = TrainingJobStatus.model_json_schema(by_alias=True, mode="validation")
    status = structural(raw, raw.get("$defs", {}))
    status["properties"]["conditions"].update(
        {"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["type"]}
    )
    return status


def custom_resource_definition() -> dict[str, Any]:
    """The whole CRD as a document ready to be written as YAML."""
    version = {
        "name": names.VERSION,
        "served": True,
        "storage": True,
        "subresources": {"status": {}},
        "additionalPrinterColumns": PRINTER_COLUMNS,
        "schema": {
            "openAPIV3Schema": {
                "type": "object",
                "description": "One training run on one table.",
                "required": ["spec"],
                "properties": {
                    "apiVersion": {"type": "string"},
                    "kind": {"type": "string"},
                    "metadata": {"type": "object"},
                    "spec": _spec_schema(),
                    "status": _status_schema(),
                },
            }
        },
    }
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{names.PLURAL}.{names.GROUP}"},
        "spec": {
            "group": names.GROUP,
            "scope": "Namespaced",
            "names": {
                "kind": names.KIND,
                "listKind": f"{names.KIND}List",
                "plural": names.PLURAL,
                "singular": names.SINGULAR,
                "shortNames": [names.SHORT_NAME],
                "categories": ["all"],
            },
            "versions": [version],
        },
    }
