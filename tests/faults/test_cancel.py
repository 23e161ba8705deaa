"""A fault at every write: see `lives.cancel`."""

from .sweep import MARKS, swept

pytestmark = MARKS

test_without_a_fault, test_fault = swept("cancel")
