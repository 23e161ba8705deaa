"""What the API is told by its environment, prefix `TRAINYARD_API_`.

The object store's credentials are not among it: boto3 reads `AWS_ACCESS_KEY_ID` and the like.
"""

from typing import Any, Literal, Self

from pydantic import Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict
from trainyard_schema import CrossValidation, DataSpec, Resources
from trainyard_schema.base import explain

_SECRET_BYTES = 32
_SECRET_DISTINCT_BYTES = 10


class Settings(BaseSettings):
    """Read once at the start; a value that makes no sense keeps the API from starting."""

    model_config = SettingsConfigDict(
        env_prefix="TRAINYARD_API_",
        env_ignore_empty=True,
        frozen=True,
        extra="forbid",
        # A refused JWT_SECRET must not end up in the log.
        hide_input_in_errors=True,
    )

    namespace: str = Field(min_length=1, max_length=63)
    """The one namespace whose TrainingJobs are created and read."""

    data_uri: str | None = None
    """The table that a request without `dataset` trains on, as s3://bucket/key."""
    target: str | None = None
    """The column of that table to predict."""
    exclude: list[str] = Field(default_factory=list)
    """Columns of that table not to learn from. A JSON list."""
    resources: Resources | None = None
    """CPU and memory of each run, as the JSON of `spec.resources`; unset: the CRD's defaults."""
    cross_validation_folds: int = Field(default=5, ge=2, le=20)
    """Folds of a request with `use_cv`."""

    jwt_secret: SecretStr
    """Signs and verifies the Bearer tokens (HS256); at least 32 bytes. There is no default."""
    jwt_issuer: str = "trainyard"
    jwt_audience: str = "trainyard"
    train_auth: Literal["jwt", "open"] = "jwt"
    """`open`: the /train paths answer without a token. A token that is sent must still be valid."""

    bucket: str = Field(min_length=3, max_length=63)
    """Where model versions are."""
    s3_endpoint_url: str | None = None
    """Unset: AWS itself."""
    s3_region: str = "us-east-1"

    log_level: Literal["debug", "info", "warning", "error"] = "info"
    port: int = Field(default=8000, ge=1, le=65535)

    @field_validator("log_level", mode="before")
    @classmethod
    def _lower_case(cls, value: Any) -> Any:
        return value.lower() if isinstance(value, str) else value

    @field_validator("jwt_secret")
    @classmethod
    def _strong_enough(cls, value: SecretStr) -> SecretStr:
        secret = value.get_secret_value().encode()
        if len(secret) < _SECRET_BYTES:
            raise ValueError(
                f"has {len(secret)} bytes and needs at least {_SECRET_BYTES}; "
                "make one with: openssl rand -base64 48"
            )
        if len(set(secret)) < _SECRET_DISTINCT_BYTES:
            raise ValueError(
                "repeats a few characters only; make one with: openssl rand -base64 48"
            )
        return value

    @model_validator(mode="after")
    def _dataset_is_whole(self) -> Self:
        if (self.data_uri is None) != (self.target is None):
            raise ValueError("DATA_URI and TARGET belong together: set both or neither")
        try:
            _ = self.default_data
        except ValidationError as error:
            raise ValueError(f"the default dataset: {explain(error)}") from None
        return self

    @property
    def default_data(self) -> DataSpec | None:
        """The dataset of a request that names none."""
        if self.data_uri is None or self.target is None:
            return None
        return DataSpec(uri=self.data_uri, target=self.target, exclude=self.exclude)

    @property
    def cross_validation(self) -> CrossValidation:
        """What `use_cv` stands for."""
        return CrossValidation(folds=self.cross_validation_folds)


def explain_settings(error: ValidationError) -> str:
    """Put refused settings into one line that names each variable, and never its value."""
    prefix = str(Settings.model_config["env_prefix"])
    problems = []
    for item in error.errors(include_url=False, include_input=False, include_context=False):
        path = ".".join(str(part) for part in item["loc"])
        message = item["msg"].removeprefix("Value error, ")
        problems.append(f"{prefix}{path.upper()}: {message}" if path else message)
    return "; ".join(problems)
