"""Upload, as the family of the retrain document has it."""

from typing import Literal, Self

from fastapi import APIRouter, Request
from pydantic import BaseModel, Field

from trainyard_api.auth import TrainerDep
from trainyard_api.datasets.receiving import receive, request_body
from trainyard_api.datasets.records import Dataset
from trainyard_api.deps import DatasetsDep, SettingsDep
from trainyard_api.http.problems import documented_failures
from trainyard_api.routes.v1.datasets import UPLOAD_ERRORS, UploadName

router = APIRouter(prefix="/api", tags=["datasets"])


class UploadedDataset(Dataset):
    """The dataset that came of an upload."""

    dataset_id: str = Field(description="The fingerprint: the same bytes are the same dataset.")
    created: bool = Field(description="False: these bytes were there already.")

    @classmethod
    def of(cls, dataset: Dataset, *, created: bool) -> Self:
        """The dataset in this answer's words."""
        return cls(**dataset.model_dump(), dataset_id=dataset.id, created=created)


class Uploaded(BaseModel):
    """What became of an upload."""

    success: Literal[True] = True
    message: str
    data: UploadedDataset


@router.post(
    "/upload",
    summary="Upload new data for training",
    responses=documented_failures(*UPLOAD_ERRORS),
    openapi_extra=request_body(),
)
async def upload(
    request: Request,
    datasets: DatasetsDep,
    settings: SettingsDep,
    identity: TrainerDep,
    name: UploadName = None,
) -> Uploaded:
    """The same as POST /api/v1/datasets; `data.uri` is what a training takes as its data."""
    dataset, created = await receive(
        request,
        datasets,
        name=name,
        max_bytes=settings.upload_max_bytes,
        uploaded_by=identity.subject,
    )
    return Uploaded(
        message="Dataset uploaded" if created else "Dataset was there already",
        data=UploadedDataset.of(dataset, created=created),
    )
