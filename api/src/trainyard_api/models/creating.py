"""The Model that a request describes. Nothing here does I/O."""

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field
from trainyard_schema import ModelSpec, names

from trainyard_api.trainings.manifests import check_spec
from trainyard_api.trainings.requests import ModelName


class NewModel(BaseModel):
    """A Model to create."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "name": "churn",
                    "spec": {
                        "schedule": "0 3 * * *",
                        "timeZone": "America/Sao_Paulo",
                        "template": {
                            "spec": {
                                "modelType": "xgboost",
                                "data": {
                                    "uri": "s3://trainyard/datasets/churn.csv",
                                    "target": "churned",
                                    "exclude": ["customer_id"],
                                },
                            }
                        },
                    },
                }
            ]
        },
    )

    name: Annotated[ModelName, Field(description="Its versions are filed under it.")]
    spec: ModelSpec = Field(description="As in a Model's YAML; see docs/model.md.")
    retrainable: bool = Field(
        default=False, description="Whether POST /api/retrain of all means it as well."
    )


def model_manifest(new: NewModel, namespace: str, *, requester: str) -> dict[str, Any]:
    """The Model as it is sent to the cluster. What it leaves out comes from the CRD.

    Raises `Problem` (422) for what cannot be trained.
    """
    spec = new.spec.model_dump(mode="json", by_alias=True, exclude_unset=True, exclude_none=True)
    check_spec(spec["template"]["spec"], within="spec.template.spec.")
    metadata: dict[str, Any] = {
        "name": new.name,
        "namespace": namespace,
        "annotations": {names.REQUESTER_ANNOTATION: requester},
    }
    if new.retrainable:
        metadata["labels"] = {names.RETRAINABLE_LABEL: "true"}
    return {
        "apiVersion": names.API_VERSION,
        "kind": names.MODEL_KIND,
        "metadata": metadata,
        "spec": spec,
    }
