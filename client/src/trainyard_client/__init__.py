"""The Train API for Python: typed, with retries where they are safe.

with Client("http://127.0.0.1:8000", token) as trainyard:
    job = trainyard.jobs.submit({"modelType": "xgboost", "data": {...}})
    job = trainyard.jobs.wait(job.job_id)
"""

from trainyard_client.client import Client
from trainyard_client.errors import (
    ApiError,
    ConflictError,
    FieldError,
    ForbiddenError,
    InvalidRequestError,
    NotFoundError,
    ProblemDetails,
    TooLargeError,
    TooManyRequestsError,
    TrainyardError,
    UnauthorizedError,
    UnavailableError,
    UnreachableError,
    WaitTimeoutError,
)
from trainyard_client.views import Job, Metric, Progress, Status

__all__ = [
    "ApiError",
    "Client",
    "ConflictError",
    "FieldError",
    "ForbiddenError",
    "InvalidRequestError",
    "Job",
    "Metric",
    "NotFoundError",
    "ProblemDetails",
    "Progress",
    "Status",
    "TooLargeError",
    "TooManyRequestsError",
    "TrainyardError",
    "UnauthorizedError",
    "UnavailableError",
    "UnreachableError",
    "WaitTimeoutError",
]
