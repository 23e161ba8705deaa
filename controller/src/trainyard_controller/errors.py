"""What can go wrong with a request to the API server, in terms that a reconciler decides by."""


class ApiError(Exception):
    """A request to the API server failed. The message says which and why."""


class ConflictError(ApiError):
    """The object has changed since it was read: look again, then decide again."""


class UnavailableError(ApiError):
    """The API server gave no answer, is overloaded, or does not know us for now: try later."""

    def __init__(self, message: str, *, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after
        """Seconds that the server asked us to wait."""


class RefusedError(ApiError):
    """The API server does not want this request; asked again it gives the same answer for now."""

    def __init__(self, message: str, *, status: int) -> None:
        super().__init__(message)
        self.status = status
