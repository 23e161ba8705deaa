"""The failures that a run can be expected to have."""

from trainyard_schema import Reason


class TrainerError(Exception):
    """A failure with a known reason. Its message is one line that names the field and says what to
    do.
    """

    def __init__(self, reason: Reason, message: str) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = " ".join(message.split())
