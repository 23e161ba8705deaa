"""What the API is told by its environment, prefix `TRAINYARD_API_`.

The object store's credentials are not among it: boto3 reads `AWS_ACCESS_KEY_ID` and the like.
"""

from typing import Any, Literal, Self
from urllib.parse import urlsplit

from jwt.algorithms import HMACAlgorithm
from jwt.exceptions import InvalidKeyError
from pydantic import Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict
from trainyard_schema import CrossValidation, DataSpec, Resources
from trainyard_schema.base import explain

from trainyard_api.alerts.signature import signing_key
from trainyard_api.retraining.following import Patience
from trainyard_api.retraining.limits import Limits

_SECRET_BYTES = 32
_SECRET_DISTINCT_BYTES = 10
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


class DatabaseSettings(BaseSettings):
    """What `trainyard-api migrate` needs to be told, and no more."""

    model_config = SettingsConfigDict(
        env_prefix="TRAINYARD_API_",
        env_ignore_empty=True,
        frozen=True,
        extra="forbid",
        # A refused JWT_SECRET must not end up in the log.
        hide_input_in_errors=True,
    )

    database_url: SecretStr
    """`postgresql://user:password@host:port/database`, as libpq takes it, `sslmode` and all."""

    @field_validator("database_url")
    @classmethod
    def _of_postgres(cls, value: SecretStr) -> SecretStr:
        if not value.get_secret_value().startswith(("postgresql://", "postgres://")):
            raise ValueError("must be postgresql://user:password@host:port/database")
        return value


class Settings(DatabaseSettings):
    """Read once at the start; a value that makes no sense keeps the API from starting."""

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

    jwt_secret: SecretStr | None = None
    """Signs and verifies the Bearer tokens (HS256); at least 32 bytes. Or else `jwt_jwks_url`."""
    jwt_jwks_url: str | None = None
    """The `jwks_uri` of an OpenID Connect issuer, whose keys then verify the tokens."""
    jwt_issuer: str = "trainyard"
    jwt_audience: str = "trainyard"
    jwt_role_claim: str = Field(default="role", min_length=1)
    """A claim, or a path such as realm_access.roles; of a list, the highest role counts."""
    jwt_default_role: Literal["viewer", "trainer", "admin", "none"] = "trainer"
    """The role of a token without that claim; `none`: such a token is refused."""
    service_token: SecretStr | None = None
    """Lets a backend call POST /retrain; at least 32 bytes. Unset: nobody may."""
    train_auth: Literal["jwt", "open"] = "jwt"
    """`open`: the /train paths answer without a token. A token that is sent must still be valid."""

    webhook_url: str | None = None
    """Where alerts are posted to; with `webhook_secret`. Unset: alerts are listed only."""
    webhook_secret: SecretStr | None = None
    """Signs what is posted: whsec_ and base64 of 24 to 64 bytes, or a text of at least 32."""
    webhook_attempts: int = Field(default=15, ge=1, le=30)
    """Deliveries of an alert that are tried before it is given up. 15 take about a day."""

    bucket: str = Field(min_length=3, max_length=63)
    """Where model versions are."""
    s3_endpoint_url: str | None = None
    """Unset: AWS itself."""
    s3_region: str = "us-east-1"

    upload_max_bytes: int = Field(default=1 << 30, ge=1, le=5 * 10**9)
    """Size of the largest file that is taken as a dataset; S3 copies no more than 5 GB at once."""

    retrain_concurrent: int = Field(default=10, ge=1, le=1000)
    """Most retrains that are open at a time, among all replicas."""
    retrain_user_seconds: float = Field(default=60, ge=0, le=86400)
    """Least time between two requests of one user to retrain."""
    retrain_start_seconds: float = Field(default=3600, ge=1, le=30 * 86400)
    """How long a Model may let a request wait, for its cooldown or another run."""
    retrain_lost_seconds: float = Field(default=60, gt=30, le=3600)
    """After how long a request that no replica carries out is given up. Longer than any takes."""

    log_level: Literal["debug", "info", "warning", "error"] = "info"
    port: int = Field(default=8000, ge=1, le=65535)

    @field_validator("log_level", mode="before")
    @classmethod
    def _lower_case(cls, value: Any) -> Any:
        return value.lower() if isinstance(value, str) else value

    @field_validator("jwt_secret", "service_token", "webhook_secret")
    @classmethod
    def _strong_enough(cls, value: SecretStr | None) -> SecretStr | None:
        if value is None:
            return None
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
        try:
            HMACAlgorithm(HMACAlgorithm.SHA256).prepare_key(secret)
        except InvalidKeyError:
            raise ValueError(
                "is a key or certificate, which others may know; "
                "make a secret with: openssl rand -base64 48"
            ) from None
        return value

    @field_validator("jwt_jwks_url")
    @classmethod
    def _of_whom_it_says(cls, value: str | None) -> str | None:
        if value is None:
            return None
        return _private_on_its_way(
            value,
            why="who can change the keys on their way can sign any token",
            why_anonymous="keys are public",
        )

    @field_validator("webhook_url")
    @classmethod
    def _read_by_the_receiver_only(cls, value: str | None) -> str | None:
        if value is None:
            return None
        return _private_on_its_way(
            value,
            why="alerts name users and data",
            why_anonymous="WEBHOOK_SECRET proves who sends",
        )

    @field_validator("webhook_secret")
    @classmethod
    def _of_the_specified_form(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None:
            signing_key(value.get_secret_value())
        return value

    @model_validator(mode="after")
    def _one_kind_of_key(self) -> Self:
        if (self.jwt_secret is None) == (self.jwt_jwks_url is None):
            raise ValueError("set exactly one of JWT_SECRET and JWT_JWKS_URL")
        if self.jwt_jwks_url is not None and "jwt_issuer" not in self.model_fields_set:
            raise ValueError("JWT_JWKS_URL needs JWT_ISSUER: the `iss` of its tokens")
        if self.service_token is not None and self.service_token == self.jwt_secret:
            raise ValueError("SERVICE_TOKEN must not be JWT_SECRET: who has it could sign tokens")
        return self

    @model_validator(mode="after")
    def _webhook_is_whole(self) -> Self:
        if (self.webhook_url is None) != (self.webhook_secret is None):
            raise ValueError("WEBHOOK_URL and WEBHOOK_SECRET belong together: set both or neither")
        if self.webhook_secret is not None and self.webhook_secret in (
            self.jwt_secret,
            self.service_token,
        ):
            raise ValueError(
                "WEBHOOK_SECRET must be no other secret: the receiver of alerts knows it"
            )
        return self

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
    def retrain_limits(self) -> Limits:
        """How many requests to retrain are admitted."""
        return Limits(user_seconds=self.retrain_user_seconds, concurrent=self.retrain_concurrent)

    @property
    def retrain_patience(self) -> Patience:
        """How long a request to retrain may take to lead to a run."""
        return Patience(
            lost_seconds=self.retrain_lost_seconds, start_seconds=self.retrain_start_seconds
        )

    @property
    def cross_validation(self) -> CrossValidation:
        """What `use_cv` stands for."""
        return CrossValidation(folds=self.cross_validation_folds)


def _private_on_its_way(value: str, *, why: str, why_anonymous: str) -> str:
    """The URL. Raises `ValueError` where others could read what goes to it or comes from it."""
    url = urlsplit(value)
    host = url.hostname or ""
    inside = host in _LOOPBACK or host.endswith((".svc", ".svc.cluster.local"))
    if not host or not (url.scheme == "https" or (url.scheme == "http" and inside)):
        raise ValueError(
            "must be an https:// URL (http:// only for a Service of the cluster or loopback): "
            + why
        )
    if url.username or url.password:
        raise ValueError(f"must hold no user or password: {why_anonymous}")
    return value


def explain_settings(error: ValidationError) -> str:
    """Put refused settings into one line that names each variable, and never its value."""
    prefix = str(Settings.model_config["env_prefix"])
    problems = []
    for item in error.errors(include_url=False, include_input=False, include_context=False):
        path = ".".join(str(part) for part in item["loc"])
        message = item["msg"].removeprefix("Value error, ")
        problems.append(f"{prefix}{path.upper()}: {message}" if path else message)
    return "; ".join(problems)
