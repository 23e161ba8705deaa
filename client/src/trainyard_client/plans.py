"""What is trained when: `client.plans`."""

from datetime import datetime
from typing import Final

from pydantic import Field

from trainyard_client.transport import Transport
from trainyard_client.views import View

_PATH: Final = "/api/plans"


class Plan(View):
    """A Model: what is trained, when, and how long that takes."""

    name: str
    model_type: str
    schedule: str | None = Field(default=None, description="Cron; None: on request only.")
    time_zone: str = "UTC"
    suspended: bool = False
    retrainable: bool = Field(default=False, description="Whether a retraining of all means it.")
    next_run: datetime | None = None
    last_run: datetime | None = None
    last_run_status: str | None = Field(default=None, description="Its phase.")
    champion: str | None = Field(default=None, description="The version that consumers load.")
    champion_metric: str | None = Field(default=None, description="Of the holdout, as name=value.")
    typical_seconds: float | None = Field(
        default=None, description="Median of the latest completed runs; None: there is none."
    )


def plans(transport: Transport) -> list[Plan]:
    """All Models, by name."""
    return [Plan.model_validate(one) for one in transport.get(_PATH).json()["data"]]
