"""CustomResourceDefinitions, and that of TrainingJob, generated from the pydantic models."""

from collections.abc import Mapping, Sequence
from typing import Any

from trainyard_schema import names
from trainyard_schema.base import Model
from trainyard_schema.spec import QUANTITY_PATTERN, Resources, TrainingJobSpec
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
    {"name": "Message", "type": "string", "jsonPath": ".status.message", "priority": 1,
     "description": "Why it waits or failed, and what to do"},
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
    """Turn pydantic's JSON Schema (2020-12) into the structural OpenAPI v3 that Kubernetes takes.

    References are resolved, `X | None` becomes an optional X, and exclusive bounds become
    OpenAPI's booleans.
    """
    schema = _resolve(schema, definitions)
    if schema.get("x-kubernetes-int-or-string"):
        return {
            **{key: schema[key] for key in ("description", "default") if schema.get(key)},
            **_INT_OR_STRING,
        }
    out: dict[str, Any] = {}
    if description := schema.get("description"):
        out["description"] = " ".join(description.split())
    out.update({key: schema[key] for key in _KEPT if schema.get(key) is not None})
    out.update(_bounds(schema))
    if "const" in schema:
        out["enum"] = [schema["const"]]
    if "items" in schema:
        out["items"] = structural(schema["items"], definitions)
    if schema.get("type") == "object":
        out.update(_object(schema, definitions))
    return out


def _resolve(schema: Mapping[str, Any], definitions: Mapping[str, Any]) -> Mapping[str, Any]:
    """Follow `$ref` and `anyOf: [X, null]` to X; what stands beside them wins over what X says."""
    if "$ref" in schema:
        inner = definitions[schema["$ref"].rpartition("/")[2]]
    elif "anyOf" in schema:
        options = [option for option in schema["anyOf"] if option.get("type") != "null"]
        if len(options) != 1:
            raise TypeError(f"a structural schema has no place for a union: {schema}")
        inner = options[0]
    else:
        return schema
    outer = {key: value for key, value in schema.items() if key not in ("$ref", "anyOf")}
    return _resolve({**inner, **outer}, definitions)


def _bounds(schema: Mapping[str, Any]) -> dict[str, Any]:
    out: dict[str, Any] = {}
    for bound in ("Minimum", "Maximum"):
        if (limit := schema.get(f"exclusive{bound}")) is not None:
            out |= {bound.lower(): limit, f"exclusive{bound}": True}
    return out


def _object(schema: Mapping[str, Any], definitions: Mapping[str, Any]) -> dict[str, Any]:
    if "properties" in schema:
        properties = {
            name: structural(value, definitions) for name, value in schema["properties"].items()
        }
        required = {"required": schema["required"]} if schema.get("required") else {}
        return {"properties": properties, **required}
    values = schema.get("additionalProperties")
    if isinstance(values, Mapping) and values:
        return {"additionalProperties": structural(values, definitions)}
    return {"x-kubernetes-preserve-unknown-fields": True}


def rule(expression: str, message: str) -> dict[str, str]:
    """A CEL rule and what the API server says where it does not hold."""
    return {"rule": expression, "message": message}


def _immutable(field: str) -> dict[str, str]:
    return rule(
        f"has(self.{field}) == has(oldSelf.{field})"
        f" && (!has(self.{field}) || self.{field} == oldSelf.{field})",
        f"{field} is immutable: create a new TrainingJob instead",
    )


def _fits(resource: str) -> dict[str, str]:
    request, limit = (
        f"quantity(string(self.{part}.{resource}))" for part in ("requests", "limits")
    )
    return rule(
        f"{request}.compareTo({limit}) <= 0",
        f"requests.{resource} must not be more than limits.{resource}",
    )


def schema_of(model: type[Model]) -> dict[str, Any]:
    """The structural schema of a pydantic model."""
    raw = model.model_json_schema(by_alias=True, mode="validation")
    return structural(raw, raw.get("$defs", {}))


def add_training_rules(spec: dict[str, Any]) -> None:
    """Add to the schema of a `TrainingSpec` what only CEL can say, and defaults at every level."""
    properties = spec["properties"]
    properties["data"]["x-kubernetes-validations"] = [
        rule(
            "!has(self.exclude) || !(self.target in self.exclude)",
            "exclude must not contain the target",
        )
    ]
    # Rules are tried on each default as it stands, so it has to be complete.
    defaults = Resources().to_dict()
    properties["resources"]["default"] = defaults
    for part, default in defaults.items():
        properties["resources"]["properties"][part]["default"] = default
    properties["resources"]["x-kubernetes-validations"] = [_fits("cpu"), _fits("memory")]
    spec["x-kubernetes-validations"] = [
        rule(
            "!has(self.oomRetry) || quantity(string(self.oomRetry.maxMemory))"
            ".isGreaterThan(quantity(string(self.resources.limits.memory)))",
            "oomRetry.maxMemory must be more than resources.limits.memory",
        )
    ]


def _spec_schema() -> dict[str, Any]:
    spec = schema_of(TrainingJobSpec)
    add_training_rules(spec)
    spec["x-kubernetes-validations"] += [
        *(_immutable(field) for field in spec["properties"] if field not in MUTABLE_FIELDS),
        rule(
            "!oldSelf.cancel || self.cancel",
            "cancel is final: create a new TrainingJob to train again",
        ),
    ]
    return spec


def status_schema(model: type[Model]) -> dict[str, Any]:
    """The schema of a status, whose conditions are a map by type."""
    status = schema_of(model)
    status["properties"]["conditions"].update(
        {"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["type"]}
    )
    return status


def definition(
    *,
    names_of_kind: Mapping[str, Any],
    description: str,
    columns: list[dict[str, Any]],
    spec: dict[str, Any],
    status: dict[str, Any],
    rules: Sequence[dict[str, str]] = (),
) -> dict[str, Any]:
    """The CRD of one kind as a document ready to be written as YAML."""
    schema = {
        "type": "object",
        "description": description,
        "required": ["spec"],
        "properties": {
            "apiVersion": {"type": "string"},
            "kind": {"type": "string"},
            "metadata": {"type": "object"},
            "spec": spec,
            "status": status,
        },
        **({"x-kubernetes-validations": list(rules)} if rules else {}),
    }
    version = {
        "name": names.VERSION,
        "served": True,
        "storage": True,
        "subresources": {"status": {}},
        "additionalPrinterColumns": columns,
        "schema": {"openAPIV3Schema": schema},
    }
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{names_of_kind['plural']}.{names.GROUP}"},
        "spec": {
            "group": names.GROUP,
            "scope": "Namespaced",
            "names": {
                "kind": names_of_kind["kind"],
                "listKind": f"{names_of_kind['kind']}List",
                **{key: names_of_kind[key] for key in ("plural", "singular", "shortNames")},
                "categories": ["all"],
            },
            "versions": [version],
        },
    }


def custom_resource_definition() -> dict[str, Any]:
    """The CRD of TrainingJob."""
    return definition(
        names_of_kind={
            "kind": names.KIND,
            "plural": names.PLURAL,
            "singular": names.SINGULAR,
            "shortNames": [names.SHORT_NAME],
        },
        description="One training run on one table.",
        columns=PRINTER_COLUMNS,
        spec=_spec_schema(),
        status=status_schema(TrainingJobStatus),
    )
