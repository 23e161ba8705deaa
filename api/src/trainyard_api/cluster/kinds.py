"""The kinds of objects that the API reads and writes."""

from dataclasses import dataclass
from typing import Any, Final

from trainyard_schema import names

Document = dict[str, Any]
"""An object as the API server gives it."""


@dataclass(frozen=True)
class Kind:
    """A kind of custom object of Trainyard."""

    name: str
    plural: str


TRAINING_JOB: Final = Kind(names.KIND, names.PLURAL)
MODEL: Final = Kind(names.MODEL_KIND, names.MODEL_PLURAL)
POD: Final = Kind("pod", "pods")
POD_LOG: Final = Kind("pod log", "pods/log")
EVENT: Final = Kind("Event", "events")
