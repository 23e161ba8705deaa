from pathlib import Path

import pytest
from localcluster.settings import Settings

from localcluster import LocalclusterError, Publish


def test_publish_is_read_and_written_in_one_form() -> None:
    publish = Publish.parse("127.0.0.1:8000:30800")
    assert publish == Publish("127.0.0.1", 8000, 30800)
    assert str(publish) == "127.0.0.1:8000:30800"


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("8000:30800", "write ADDRESS:PORT:NODEPORT"),
        ("127.0.0.1:0:30800", "the port must be"),
        ("127.0.0.1:8000:80", "the node port must be"),
    ],
)
def test_a_wrong_publish_says_what_to_write(text: str, complaint: str) -> None:
    with pytest.raises(LocalclusterError, match=complaint):
        Publish.parse(text)


def test_settings_survive_the_file(tmp_path: Path) -> None:
    settings = Settings("/bin/node", "key", (Publish("127.0.0.1", 8000, 30800),), 5051, 1400)
    settings.save(tmp_path / "settings.json")
    assert Settings.load(tmp_path / "settings.json") == settings


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"publish": [{}]}'])
def test_damaged_settings_count_as_none(tmp_path: Path, content: str) -> None:
    (tmp_path / "settings.json").write_text(content)
    assert Settings.load(tmp_path / "settings.json") is None
