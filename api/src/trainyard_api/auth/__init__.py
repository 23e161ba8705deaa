"""Who is asking, and what they may do: tokens, keys, roles, and the dependencies of routes."""

from trainyard_api.auth.authenticator import Authenticator
from trainyard_api.auth.requires import (
    AdminDep,
    TrainerDep,
    TrainTrainerDep,
    TrainViewerDep,
    ViewerDep,
)
from trainyard_api.auth.roles import Identity, Role
from trainyard_api.auth.service import ServiceDep

__all__ = [
    "AdminDep",
    "Authenticator",
    "Identity",
    "Role",
    "ServiceDep",
    "TrainTrainerDep",
    "TrainViewerDep",
    "TrainerDep",
    "ViewerDep",
]
