"""What runs of one kind are measured in: a control plane, fake nodes, and an object store."""

import ssl
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import yaml
from localcluster.nodebinary import node_binary
from trainyard_controller.settings import Settings

from ...component.control_plane import ADMIN, ControlPlane, control_plane, serve_kinds
from ...component.controller.rbac import allow
from ...component.object_store import BUCKET
from ...component.s3_gateway import gateway, gateway_binary
from . import kwok
from .cases import Case
from .runs import TRAINER_SERVICE_ACCOUNT, BareJobs, Kind, TrainingJobs


@dataclass(frozen=True)
class Environment:
    """Everything that runs need. With `fake_nodes` false, the harness plays the nodes."""

    plane: ControlPlane
    folder: Path
    settings: Settings
    fake_nodes: bool

    @property
    def training_jobs(self) -> TrainingJobs:
        return TrainingJobs()

    @property
    def bare_jobs(self) -> BareJobs:
        return BareJobs(self.settings)

    @asynccontextmanager
    async def session(self) -> AsyncIterator[aiohttp.ClientSession]:
        """Requests of the administrator."""
        configuration = yaml.safe_load(self.plane.kubeconfigs[ADMIN].read_text())
        cluster = configuration["clusters"][0]["cluster"]
        token = configuration["users"][0]["user"]["token"]
        trusted = ssl.create_default_context(cafile=cluster["certificate-authority"])
        trusted.verify_flags &= ~ssl.VERIFY_X509_STRICT
        async with aiohttp.ClientSession(
            cluster["server"],
            headers={"Authorization": f"Bearer {token}"},
            connector=aiohttp.TCPConnector(ssl=trusted, limit=0),
            read_bufsize=2**20,
        ) as session:
            yield session

    def add_namespace(self, kind: Kind) -> None:
        """A namespace in which pods of the trainer may run."""
        path = "/api/v1/namespaces"
        self.plane.rest.post(path, {"metadata": {"name": kind.namespace}})
        account = {"metadata": {"name": TRAINER_SERVICE_ACCOUNT}}
        self.plane.rest.post(f"{path}/{kind.namespace}/serviceaccounts", account)


@contextmanager
def environment(folder: Path, case: Case, *, fake_nodes: bool = True) -> Iterator[Environment]:
    """Start everything but the operator; stop everything."""
    program = node_binary(folder / "go-build.log")
    store_program = gateway_binary(folder / "go-build-s3.log")
    with ExitStack() as stack:
        plane = stack.enter_context(
            control_plane(program, folder, manager_flags=case.manager_flags, audited=False)
        )
        serve_kinds(plane)
        store = stack.enter_context(gateway(store_program, folder))
        settings = Settings(
            namespaces=(TrainingJobs.namespace,),
            trainer_image="trainer:bench",
            trainer_service_account=TRAINER_SERVICE_ACCOUNT,
            s3_secret="s3",
            bucket=BUCKET,
            s3_endpoint_url=store.url,
        )
        stack.enter_context(kwok.nodes(plane, program, folder) if fake_nodes else nullcontext())
        one = Environment(plane, folder, settings, fake_nodes)
        for kind in (one.bare_jobs, one.training_jobs):
            one.add_namespace(kind)
        allow(plane.rest, one.training_jobs.namespace)
        yield one
