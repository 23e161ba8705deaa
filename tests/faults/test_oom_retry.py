"""A fault at every write: see `lives.oom_retry`."""

from .sweep import MARKS, swept

pytestmark = MARKS

test_without_a_fault, test_fault = swept("oom-retry")
