"""A TrainingJob with what answers need of it, each derived at most once."""

import json
from collections.abc import Iterable
from functools import cached_property
from typing import Any

from fastapi import Response
from fastapi.sse import format_sse_event
from trainyard_schema import ModelType, Phase
from trainyard_schema.status import TERMINAL_PHASES

from trainyard_api.trainings.views import JobView, Status, job_phase, job_status, model_name


class TrainingJob(dict[str, Any]):
    """A TrainingJob as the API server gives it. Never changed: another version is another one."""

    @cached_property
    def view_json(self) -> bytes:
        """Its view as JSON, shared by all who ask for it."""
        return JobView.of(self).model_dump_json().encode()

    @property
    def message(self) -> str:
        """Where it stands, in one line."""
        return JobView.of(self).message

    @cached_property
    def event(self) -> bytes:
        """Its view as a server-sent event, shared by all who follow it."""
        return format_sse_event(
            event="job", id=self.resource_version, data_str=self.view_json.decode()
        )

    @cached_property
    def phase(self) -> Phase | None:
        """None until the operator has seen it."""
        return job_phase(self)

    @property
    def ended(self) -> bool:
        """Whether it will never change its phase again."""
        return self.phase in TERMINAL_PHASES

    @cached_property
    def status(self) -> Status:
        """The word for where it stands."""
        return job_status(self)

    @cached_property
    def model(self) -> str:
        """The name under which it files its versions."""
        return model_name(self)

    @cached_property
    def age(self) -> tuple[str, str]:
        """Sorts by time of creation, the name decides within a second."""
        # RFC 3339 in UTC sorts as text.
        return self["metadata"]["creationTimestamp"], self["metadata"]["name"]

    @property
    def name(self) -> str:
        """The TrainingJob's name, which is the job's id."""
        name: str = self["metadata"]["name"]
        return name

    @property
    def model_types(self) -> tuple[ModelType, ...]:
        """What it trains, in the order of its Job's completion indexes."""
        wanted = self["spec"]["modelType"]
        return tuple(ModelType) if wanted == "all" else (ModelType(wanted),)

    @property
    def labels(self) -> dict[str, str]:
        """The labels of the TrainingJob."""
        return self["metadata"].get("labels") or {}

    @property
    def resource_version(self) -> str:
        """Another one after each change, the same for all replicas."""
        version: str = self["metadata"]["resourceVersion"]
        return version


def rendered(field: str, jobs: Iterable[TrainingJob], **others: Any) -> Response:
    """A JSON object with the views of `jobs` as the list `field`."""
    views = b",".join(job.view_json for job in jobs)
    tail = json.dumps(others).encode()[1:]
    body = b'{"%s":[%s],%s' % (field.encode(), views, tail)
    return Response(body, media_type="application/json")
