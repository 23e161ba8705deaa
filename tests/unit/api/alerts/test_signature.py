"""Signatures that the specification's own library takes."""

import base64
from datetime import UTC, datetime

import pytest
import standardwebhooks
from hypothesis import given
from hypothesis import strategies as st
from trainyard_api.alerts.signature import sign, signing_key

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


def test_the_example_of_the_libraries() -> None:
    signature = sign(
        signing_key(SECRET),
        identifier="msg_p5jXN8AQM9LWM0D4loKWxJek",
        timestamp=1614265330,
        body=b'{"test": 2432232314}',
    )
    assert signature == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


@given(st.binary(min_size=24, max_size=64), st.text(max_size=200))
def test_the_library_of_the_specification_takes_it(key: bytes, text: str) -> None:
    secret = f"whsec_{base64.b64encode(key).decode()}"
    now = int(datetime.now(UTC).timestamp())
    body = f'"{text.encode("unicode_escape").hex()}"'.encode()
    headers = {
        "webhook-id": "msg_1",
        "webhook-timestamp": str(now),
        "webhook-signature": sign(
            signing_key(secret), identifier="msg_1", timestamp=now, body=body
        ),
    }
    webhook = standardwebhooks.Webhook(secret)
    webhook.verify(body, headers)
    for changed in ({"webhook-id": "msg_2"}, {"webhook-timestamp": str(now + 1)}):
        with pytest.raises(standardwebhooks.WebhookVerificationError):
            webhook.verify(body, headers | changed)
    with pytest.raises(standardwebhooks.WebhookVerificationError):
        webhook.verify(body + b" ", headers)


def test_a_text_is_its_own_key() -> None:
    text = "0123456789-for-these-tests-only-abcdef"
    assert signing_key(text) == text.encode()


@pytest.mark.parametrize(
    ("secret", "problem"),
    [
        ("whsec_", "holds 0 bytes"),
        ("whsec_" + base64.b64encode(b"x" * 23).decode(), "holds 23 bytes"),
        ("whsec_" + base64.b64encode(b"x" * 65).decode(), "holds 65 bytes"),
        ("whsec_not base64 at all, and long enough", "must be base64"),
    ],
)
def test_a_secret_of_the_wrong_form(secret: str, problem: str) -> None:
    with pytest.raises(ValueError, match=problem) as error:
        signing_key(secret)
    assert secret.removeprefix("whsec_") == "" or secret not in str(error.value)
