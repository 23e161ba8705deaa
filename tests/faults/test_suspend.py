"""A fault at every write: see `lives.suspend`."""

import pytest

from .sweep import References, check_fault, check_reference, each_write
from .world import World

LIFE = "suspend"

pytestmark = [pytest.mark.component, pytest.mark.timeout(120)]


def test_without_a_fault(references: References) -> None:
    check_reference(LIFE, references[LIFE])


@each_write(LIFE)
def test_fault(world: World, references: References, fault: str, number: int) -> None:
    check_fault(world, LIFE, references[LIFE], fault, number)
