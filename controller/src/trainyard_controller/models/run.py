"""The TrainingJob that a Model asks for."""

from typing import Any

from trainyard_schema import Gate, ModelSpec, TrainingJobSpec, names

from trainyard_controller.models.objects import Model
from trainyard_controller.models.plan import Start, utc


def build_run(model: Model, spec: ModelSpec, start: Start) -> dict[str, Any]:
    """The TrainingJob of one run, as the template says. It goes when the Model does."""
    template = spec.template
    annotations = {
        names.REQUESTER_ANNOTATION: f"{names.MODEL_KIND}/{model.name}",
        **template.metadata.annotations,
    }
    if start.request is not None:
        annotations[names.RETRAIN_ANNOTATION] = start.request
    if start.scheduled_time is not None:
        annotations[names.SCHEDULED_TIME_ANNOTATION] = utc(start.scheduled_time)
    champion = model.status.champion
    training = TrainingJobSpec(
        model=model.name,
        # Even without one of the Model's own, a version must load before it is promoted.
        gate=spec.promotion.gate or Gate(),
        champion=champion.uri if champion else None,
        **dict(template.spec),
    )
    return {
        "apiVersion": names.API_VERSION,
        "kind": names.KIND,
        "metadata": {
            "name": start.name,
            "namespace": model.namespace,
            "labels": {
                **template.metadata.labels,
                names.MANAGED_BY_LABEL: names.MANAGED_BY,
                names.MODEL_UID_LABEL: model.uid,
                names.MODEL_LABEL: names.label_value(model.name),
            },
            "annotations": annotations,
            "ownerReferences": [
                {
                    "apiVersion": names.API_VERSION,
                    "kind": names.MODEL_KIND,
                    "name": model.name,
                    "uid": model.uid,
                    "controller": True,
                    "blockOwnerDeletion": False,
                }
            ],
        },
        "spec": training.to_dict(),
    }
