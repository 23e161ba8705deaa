"""Which API, as whom, and where that is kept."""

import json
import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path

import jwt
import pytest

from .api import Answer, Api, problem
from .cli import Trainyard

SECRET = "0123456789abcdefghijklmnopqrstuvwxyz"
ME = "GET /api/v1/me"
LIST = "GET /api/v1/models"


@pytest.fixture(autouse=True)
def answers(api: Api) -> None:
    api.answers(ME, Answer(200, {"subject": "ada", "role": "trainer"}))
    api.answers(LIST, Answer(200, {"items": [], "next_cursor": None}))


def token(**claims: object) -> str:
    return jwt.encode({"sub": "ada", **claims}, SECRET, algorithm="HS256")


def bearer(api: Api) -> str | None:
    return api.requests[-1].headers.get("authorization")


def test_login_tries_and_stores_for_the_owner_alone(
    api: Api, trainyard: Trainyard, home: Path
) -> None:
    path = home / ".config" / "trainyard" / "config.toml"
    done = trainyard("login", api.url + "/", "--token", "abc")
    assert (done.code, done.out) == (0, "")
    assert done.err == f"ada, role trainer, at {api.url}/. Stored in {path}.\n"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert list(path.parent.iterdir()) == [path]
    assert trainyard("models", "list").code == 0
    assert bearer(api) == "Bearer abc"
    assert trainyard("logout").code == 0
    assert not path.exists()
    assert "Nothing was stored" in trainyard("logout").err


def test_what_was_not_let_in_is_not_stored(api: Api, trainyard: Trainyard, home: Path) -> None:
    api.answers(ME, problem(401, "The token has expired."))
    assert trainyard("login", api.url, "--token", "abc").code == 1
    assert list(home.iterdir()) == []


def test_the_token_is_read_from_a_pipe(
    api: Api, trainyard: Trainyard, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (home / "token").write_text("abc\n")
    with (home / "token").open() as pipe:
        monkeypatch.setattr("sys.stdin", pipe)
        assert trainyard("login", api.url).code == 0
    assert bearer(api) == "Bearer abc"


def test_over_http_to_another_machine_is_warned_of(trainyard: Trainyard) -> None:
    done = trainyard("login", "http://trainyard.invalid", "--token", "abc")
    assert "everybody on the way can read the token" in done.err
    assert done.code == 1


@pytest.mark.parametrize("url", ["trainyard.example.com", "ftp://x", "http://", ""])
def test_no_address(trainyard: Trainyard, url: str) -> None:
    done = trainyard("login", url, "--token", "abc")
    assert done.code == 2
    assert "is no address" in done.err


def test_the_nearest_word_counts(
    api: Api, trainyard: Trainyard, monkeypatch: pytest.MonkeyPatch
) -> None:
    trainyard("login", api.url, "--token", "stored")
    monkeypatch.setenv("TRAINYARD_TOKEN", "of-environment")
    trainyard("models", "list")
    assert bearer(api) == "Bearer of-environment"
    trainyard("models", "list", "--token", "of-option")
    assert bearer(api) == "Bearer of-option"
    monkeypatch.setenv("TRAINYARD_URL", "http://127.0.0.1:1")
    assert "http://127.0.0.1:1 cannot be reached" in trainyard("models", "list").err
    assert trainyard("models", "list", "--url", api.url).code == 0


def test_a_stored_token_goes_to_its_own_address_only(
    api: Api, trainyard: Trainyard, monkeypatch: pytest.MonkeyPatch
) -> None:
    trainyard("login", api.url, "--token", "stored")
    other = api.url.replace("127.0.0.1", "localhost")
    assert trainyard("models", "list", "--url", other).code == 0
    assert bearer(api) is None
    monkeypatch.setenv("TRAINYARD_URL", other)
    assert trainyard("models", "list").code == 0
    assert bearer(api) is None


def test_completion_of_the_plugin(trainyard: Trainyard) -> None:
    done = trainyard("--install-completion", program="kubectl-trainyard")
    assert (done.code, "trainyard --install-completion" in done.err) == (1, True)


def test_nothing_is_known(trainyard: Trainyard) -> None:
    done = trainyard("list")
    assert done.code == 1
    assert "trainyard login URL, or TRAINYARD_URL, or --url" in done.err


@pytest.mark.parametrize("text", ["url = 3", "url = ", "\x00"])
def test_a_configuration_that_is_broken(trainyard: Trainyard, home: Path, text: str) -> None:
    path = home / ".config" / "trainyard" / "config.toml"
    path.parent.mkdir(parents=True)
    path.write_text(text)
    done = trainyard("list")
    assert done.code == 1
    assert str(path) in done.err


def test_xdg_config_home(
    api: Api, trainyard: Trainyard, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(home / "xdg"))
    trainyard("login", api.url, "--token", "abc")
    assert (home / "xdg" / "trainyard" / "config.toml").is_file()


def test_what_the_token_says(trainyard: Trainyard) -> None:
    expiry = datetime(2020, 1, 2, 3, 4, 5, tzinfo=UTC)
    text = token(role="admin", iss="trainyard", exp=expiry)
    done = trainyard("token", "--token", text, "--url", "http://x")
    assert "Subject:  ada\n" in done.out
    assert "Role:     admin\n" in done.out
    assert "2020-01-02 03:04:05 UTC" in done.out
    assert "expired" in done.out
    assert "For:      http://x (--url)\n" in done.out
    assert text not in done.out + done.err
    claims = json.loads(trainyard("token", "--token", text, "-o", "json").out)
    assert claims["exp"] == int(expiry.timestamp())


def test_no_token_and_no_jwt(trainyard: Trainyard) -> None:
    assert "--from-cluster" in trainyard("token").err
    done = trainyard("token", "--token", "abc")
    assert done.code == 1
    assert "This token is no JWT" in done.err


def test_a_token_is_signed_with_a_secret(trainyard: Trainyard, home: Path) -> None:
    path = home / "secret"
    path.write_text(SECRET + "\n")
    words = ("token", "--secret-file", path, "--subject", "ada", "--role", "viewer")
    done = trainyard(*words, "--hours", "1")
    claims = jwt.decode(
        done.out.strip(), SECRET, algorithms=["HS256"], audience="trainyard", issuer="trainyard"
    )
    assert (claims["sub"], claims["role"]) == ("ada", "viewer")
    assert claims["exp"] - claims["iat"] == timedelta(hours=1).total_seconds()
    assert "Give --subject" in trainyard("token", "--secret-file", path).err
    assert "choose viewer" in trainyard(*words[:-1], "root").err
    path.write_text("short")
    assert "less than 32 bytes" in trainyard(*words).err
    assert "No such file" in trainyard("token", "--secret-file", "none", "--subject", "a").err
