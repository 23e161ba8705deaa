"""Everything that an administrator can set, from the environment."""

from typing import Annotated, Any, Literal

from pydantic import Field, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict
from trainyard_schema import StorageConfig


class Settings(BaseSettings):
    """The operator's configuration: each field is read from `TRAINYARD_<FIELD IN CAPITALS>`."""

    model_config = SettingsConfigDict(env_prefix="TRAINYARD_", frozen=True)

    namespaces: Annotated[tuple[str, ...], NoDecode] = Field(min_length=1)
    """The namespaces whose TrainingJobs and Models are served, separated by commas."""
    trainer_image: str = Field(min_length=1)
    """Image of the trainer pods."""
    image_pull_policy: Literal["Always", "IfNotPresent", "Never"] = "IfNotPresent"
    """imagePullPolicy of the trainer pods."""
    image_pull_secrets: Annotated[tuple[str, ...], NoDecode] = ()
    """Names of the Secrets to pull the trainer image with, separated by commas."""
    trainer_service_account: str = Field(min_length=1)
    """Service account of the trainer pods. It needs no permission, and its token is not mounted."""
    s3_secret: str = Field(min_length=1)
    """Secret with AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, handed to the trainer pods."""
    bucket: str = Field(min_length=1)
    """Bucket in which model versions are filed."""
    s3_endpoint_url: str = ""
    """URL of the S3 server as the trainer pods reach it; empty means AWS."""
    s3_region: str = "us-east-1"
    """Region of the bucket."""
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    """Least severe level that is logged."""
    workers: int = Field(default=8, ge=1, le=256)
    """TrainingJobs that are reconciled at the same time."""
    metrics_port: int = Field(default=8080, ge=0, le=65535)
    """Port of /healthz and /metrics; 0 picks a free one."""
    progress_seconds: float = Field(default=5.0, gt=0)
    """Time between two polls of a running trainer, and between two writes of mere progress."""
    resync_seconds: float = Field(default=420.0, gt=0)
    """Time between two comparisons of the unfinished TrainingJobs with the API server."""
    stale_seconds: float = Field(default=300.0, gt=0)
    """Age of a key, or of a change that a watch failed to deliver, at which the operator exits."""
    lease_name: str = ""
    """Lease by which several replicas agree who acts; empty: this is the only one."""
    lease_seconds: float = Field(default=15.0, ge=1)
    """How long a leader that no longer renews the lease is waited for, before another acts."""

    @field_validator("namespaces", "image_pull_secrets", mode="before")
    @classmethod
    def _split(cls, value: Any) -> Any:
        if isinstance(value, str):
            return tuple(name.strip() for name in value.split(",") if name.strip())
        return value

    @property
    def storage(self) -> StorageConfig:
        """Where trainers put model versions."""
        return StorageConfig(
            bucket=self.bucket,
            endpoint_url=self.s3_endpoint_url or None,
            region=self.s3_region,
        )
