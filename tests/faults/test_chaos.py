"""A short campaign; `make chaos` runs longer ones."""

import pytest

from . import campaign
from .conftest import Worlds

pytestmark = [pytest.mark.component, pytest.mark.timeout(240)]

SEED = "7"
"""One that found that a status was written on the strength of pods as they were before."""


def test_a_campaign_of_half_a_minute(worlds: Worlds) -> None:
    with worlds(plan=campaign.plan, **campaign.SETTINGS) as world:
        report = campaign.run(world, seed=SEED, seconds=30)
        assert report.violations == [], world.log
        assert report.converged == report.jobs
        assert sum(report.faults.values()) >= 8
