"""The CustomResourceDefinition of Model, generated from the pydantic models."""

from typing import Any

from trainyard_schema import names
from trainyard_schema.crd import add_training_rules, definition, rule, schema_of, status_schema
from trainyard_schema.retraining import ModelSpec, ModelStatus

# A date would be shown as the time since, which the future has not.
PRINTER_COLUMNS: list[dict[str, Any]] = [
    {"name": "Champion", "type": "string", "jsonPath": ".status.champion.version"},
    {"name": "Metric", "type": "string", "jsonPath": ".status.champion.metric",
     "description": "Of the champion"},
    {"name": "Verdict", "type": "string", "jsonPath": ".status.lastVerdict.outcome",
     "description": "What became of the last run's version"},
    {"name": "Run", "type": "string", "jsonPath": ".status.lastRun.phase",
     "description": "Phase of the last run"},
    {"name": "Next", "type": "string", "jsonPath": ".status.nextScheduleTime"},
    {"name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp"},
    {"name": "Type", "type": "string", "jsonPath": ".status.champion.modelType", "priority": 1},
    {"name": "Since", "type": "date", "jsonPath": ".status.champion.since", "priority": 1},
    {"name": "Published", "type": "string", "priority": 1,
     "jsonPath": '.status.conditions[?(@.type=="Published")].status'},
    {"name": "Candidates", "type": "string", "jsonPath": ".status.candidates[*].version",
     "priority": 1},
    {"name": "Last run", "type": "date", "jsonPath": ".status.lastRun.startTime", "priority": 1},
    {"name": "Active", "type": "string", "jsonPath": ".status.active[*]", "priority": 1,
     "description": "TrainingJobs that have not ended"},
    {"name": "Schedule", "type": "string", "jsonPath": ".spec.schedule", "priority": 1},
    {"name": "Time zone", "type": "string", "jsonPath": ".spec.timeZone", "priority": 1},
    {"name": "Suspend", "type": "boolean", "jsonPath": ".spec.suspend", "priority": 1},
    {"name": "Ready", "type": "string", "priority": 1,
     "jsonPath": '.status.conditions[?(@.type=="Ready")].status'},
    {"name": "Message", "type": "string", "jsonPath": ".status.message", "priority": 1},
]  # fmt: skip

_NAME_LENGTH = 63


def _spec_schema() -> dict[str, Any]:
    spec = schema_of(ModelSpec)
    properties = spec["properties"]
    properties["timeZone"]["x-kubernetes-validations"] = [
        rule(
            # An unknown zone is an error of the expression, which refuses the object as well.
            "self != 'Local' && timestamp('2000-01-01T00:00:00Z').getFullYear(self) > 0",
            "timeZone must be an IANA time zone, such as America/Sao_Paulo",
        )
    ]
    add_training_rules(properties["template"]["properties"]["spec"])
    return spec


def model_custom_resource_definition() -> dict[str, Any]:
    """The CRD of Model."""
    return definition(
        names_of_kind={
            "kind": names.MODEL_KIND,
            "plural": names.MODEL_PLURAL,
            "singular": names.MODEL_SINGULAR,
            "shortNames": [names.MODEL_SHORT_NAME],
        },
        description="What is trained again on a schedule and on request.",
        columns=PRINTER_COLUMNS,
        spec=_spec_schema(),
        status=status_schema(ModelStatus),
        rules=[
            rule(
                f"self.metadata.name.size() <= {_NAME_LENGTH}",
                f"metadata.name, under which versions are filed, has at most {_NAME_LENGTH} "
                "characters",
            )
        ],
    )
