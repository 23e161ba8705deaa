import subprocess
import sys

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from pydantic import ValidationError
from trainyard_api.settings import Settings, explain_settings

_SECRET = "for-these-tests-only-0123456789-abcdef"
_PUBLIC_KEY = (
    ec.generate_private_key(ec.SECP256R1())
    .public_key()
    .public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    .decode()
)


def test_defaults(settings: Settings) -> None:
    assert (settings.port, settings.train_auth, settings.cross_validation_folds) == (
        8000,
        "jwt",
        5,
    )
    assert (settings.jwt_issuer, settings.jwt_audience) == ("trainyard", "trainyard")


def test_an_empty_variable_is_an_unset_one(
    environment: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRAINYARD_API_S3_ENDPOINT_URL", "")
    assert Settings().s3_endpoint_url is None


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("JWT_SECRET", "a-short-one", "JWT_SECRET: has 11 bytes and needs at least 32"),
        ("WEBHOOK_URL", "https://alerts.example.com/", "WEBHOOK_URL and WEBHOOK_SECRET belong"),
        ("WEBHOOK_URL", "http://alerts.example.com/", "alerts name users and data"),
        ("WEBHOOK_URL", "https://ada:pw@alerts.example.com/", "must hold no user or password"),
        ("WEBHOOK_SECRET", "a-short-one", "WEBHOOK_SECRET: has 11 bytes and needs at least 32"),
        ("WEBHOOK_SECRET", "whsec_" + "abcdefghij" * 4 + "!", "must be base64 after whsec_"),
        ("WEBHOOK_ATTEMPTS", "0", "WEBHOOK_ATTEMPTS"),
        ("JWT_SECRET", "ab" * 40, "JWT_SECRET: repeats a few characters only"),
        ("JWT_SECRET", None, "set exactly one of JWT_SECRET and JWT_JWKS_URL"),
        ("JWT_SECRET", _PUBLIC_KEY, "JWT_SECRET: is a key or certificate"),
        ("JWT_JWKS_URL", "https://issuer/keys", "set exactly one of JWT_SECRET and JWT_JWKS_URL"),
        ("JWT_JWKS_URL", "http://issuer.example.com/keys", "JWT_JWKS_URL: must be an https:// URL"),
        ("JWT_JWKS_URL", "file:///etc/passwd", "JWT_JWKS_URL: must be an https:// URL"),
        ("JWT_JWKS_URL", "https://a:b@issuer/keys", "JWT_JWKS_URL: must hold no user"),
        ("SERVICE_TOKEN", "a-short-one", "SERVICE_TOKEN: has 11 bytes and needs at least 32"),
        ("SERVICE_TOKEN", _SECRET, "SERVICE_TOKEN must not be JWT_SECRET"),
        ("JWT_DEFAULT_ROLE", "root", "JWT_DEFAULT_ROLE: Input should be 'viewer', 'trainer'"),
        ("NAMESPACE", None, "NAMESPACE: Field required"),
        ("DATABASE_URL", None, "DATABASE_URL: Field required"),
        ("DATABASE_URL", "mysql://a:b@c/d", "DATABASE_URL: must be postgresql://"),
        ("TARGET", "", "DATA_URI and TARGET belong together"),
        ("DATA_URI", "/data/churn.csv", "the default dataset: uri"),
        ("EXCLUDE", '["churned"]', "exclude must not contain the target"),
        ("RESOURCES", '{"limits": {"cpu": "lots"}}', "RESOURCES.LIMITS.CPU"),
        ("TRAIN_AUTH", "none", "TRAIN_AUTH: Input should be 'jwt' or 'open'"),
        # What Kubernetes itself sets in pods next to a Service called trainyard-api.
        ("PORT", "tcp://10.96.0.12:8000", "PORT: Input should be a valid integer"),
    ],
)
def test_what_makes_no_sense_is_refused_by_name(
    environment: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    value: str | None,
    message: str,
) -> None:
    if value is None:
        monkeypatch.delenv(f"TRAINYARD_API_{name}")
    else:
        monkeypatch.setenv(f"TRAINYARD_API_{name}", value)
    with pytest.raises(ValidationError) as caught:
        Settings()
    assert message in explain_settings(caught.value)


@pytest.mark.parametrize(
    "url", ["https://id.example.com/keys", "http://dex.auth.svc:5556/keys", "http://127.0.0.1/keys"]
)
def test_an_issuer_in_place_of_a_secret(
    environment: dict[str, str], monkeypatch: pytest.MonkeyPatch, url: str
) -> None:
    monkeypatch.delenv("TRAINYARD_API_JWT_SECRET")
    monkeypatch.setenv("TRAINYARD_API_JWT_JWKS_URL", url)
    with pytest.raises(ValidationError, match="JWT_JWKS_URL needs JWT_ISSUER"):
        Settings()
    monkeypatch.setenv("TRAINYARD_API_JWT_ISSUER", "https://id.example.com")
    assert Settings().jwt_jwks_url == url


def test_a_refused_secret_is_told_to_nobody(
    environment: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRAINYARD_API_JWT_SECRET", "tell-nobody")
    with pytest.raises(ValidationError) as caught:
        Settings()
    # A process of its own: `main` sets up logging for the whole program.
    command = [sys.executable, "-m", "trainyard_api.main"]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ended.returncode == 2
    assert "TRAINYARD_API_JWT_SECRET" in ended.stdout
    assert "tell-nobody" not in ended.stdout + ended.stderr + str(caught.value)


def test_no_secret_is_in_the_settings_text(settings: Settings) -> None:
    assert "for-these-tests-only" not in repr(settings)


def test_the_webhook_has_a_secret_of_its_own(
    environment: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRAINYARD_API_WEBHOOK_URL", "http://alerts.trainyard.svc/hook")
    monkeypatch.setenv("TRAINYARD_API_WEBHOOK_SECRET", environment["JWT_SECRET"])
    with pytest.raises(ValidationError, match="must be no other secret"):
        Settings()
    monkeypatch.setenv("TRAINYARD_API_WEBHOOK_SECRET", "another-of-these-tests-0123456789-abc")
    assert Settings().webhook_attempts == 15
