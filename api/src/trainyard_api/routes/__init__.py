"""HTTP operations, one module per resource. Those of `/api/v1` are in `v1`."""

from typing import Final

from fastapi import APIRouter

from trainyard_api.routes import feedback, health, history, jobs, models, plans, retrain, upload
from trainyard_api.routes.v1 import alerts as v1_alerts
from trainyard_api.routes.v1 import champions as v1_champions
from trainyard_api.routes.v1 import datasets as v1_datasets
from trainyard_api.routes.v1 import feedback as v1_feedback
from trainyard_api.routes.v1 import jobs as v1_jobs
from trainyard_api.routes.v1 import logs as v1_logs
from trainyard_api.routes.v1 import me as v1_me
from trainyard_api.routes.v1 import models as v1_models
from trainyard_api.routes.v1 import retrains as v1_retrains
from trainyard_api.routes.v1 import versions as v1_versions

ROUTERS: Final[tuple[APIRouter, ...]] = (
    jobs.router,
    v1_jobs.router,
    health.router,
    models.router,
    v1_logs.router,
    v1_me.router,
    v1_versions.router,
    v1_models.router,
    v1_champions.router,
    v1_datasets.router,
    upload.router,
    feedback.router,
    v1_feedback.router,
    retrain.router,
    v1_retrains.router,
    history.router,
    plans.router,
    v1_alerts.router,
)
"""What is asked most comes first: routes are tried in their order."""
