"""A TrainingJob with what answers need of it, each derived at most once."""

import json
from collections.abc import Iterable
from functools import cached_property
from typing import Any

from fastapi import Response

from trainyard_api.views import JobView, Status, job_status, model_name


class TrainingJob(dict[str, Any]):
    """A TrainingJob as the API server gives it. Never changed: another version is another one."""

    @cached_property
    def view_json(self) -> bytes:
        """Its view as JSON, shared by all who ask for it."""
        return JobView.of(self).model_dump_json().encode()

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
