import itertools
from collections.abc import Iterable

import pytest
from trainyard_controller.main import main
from trainyard_controller.settings import Settings
from trainyard_controller.watches import NoMemories, kopf_settings

REQUIRED = {
    "TRAINYARD_NAMESPACES": "lab,research",
    "TRAINYARD_TRAINER_IMAGE": "trainer:1",
    "TRAINYARD_TRAINER_SERVICE_ACCOUNT": "trainer",
    "TRAINYARD_S3_SECRET": "s3",
    "TRAINYARD_BUCKET": "trainyard",
}


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    for name, value in REQUIRED.items():
        monkeypatch.setenv(name, value)
    return monkeypatch


def test_the_environment_is_read(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("TRAINYARD_IMAGE_PULL_SECRETS", "one, two,")
    environment.setenv("TRAINYARD_S3_ENDPOINT_URL", "")
    settings = Settings()
    assert settings.namespaces == ("lab", "research")
    assert settings.image_pull_secrets == ("one", "two")
    assert settings.storage.endpoint_url is None
    assert settings.storage.bucket == "trainyard"


def test_what_is_missing_is_named(environment: pytest.MonkeyPatch) -> None:
    environment.delenv("TRAINYARD_BUCKET")
    environment.setenv("TRAINYARD_WORKERS", "many")
    with pytest.raises(SystemExit) as stopped:
        main()
    assert "TRAINYARD_BUCKET: Field required" in str(stopped.value)
    assert "TRAINYARD_WORKERS: " in str(stopped.value)


def test_kopf_only_watches() -> None:
    settings = kopf_settings()
    assert settings.scanning.disabled
    assert settings.peering.standalone
    assert not settings.posting.enabled
    assert len(settings.watching.label_selectors) == 2


def test_a_watch_never_gives_up_and_notices_soon_what_is_back() -> None:
    backoffs = kopf_settings().networking.error_backoffs
    assert isinstance(backoffs, Iterable)
    for _ in range(2):  # each request goes through them anew
        seconds = list(itertools.islice(backoffs, 1000))
        assert (len(seconds), seconds[0], max(seconds)) == (1000, 1, 10)


async def test_kopf_remembers_no_object() -> None:
    memories = NoMemories()
    await memories.recall({"metadata": {"uid": "a"}}, noticed_by_listing=True)
    assert list(memories.iter_all_memories()) == []
