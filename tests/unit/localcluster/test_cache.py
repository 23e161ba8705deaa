from pathlib import Path

import pytest
from localcluster.cache import cached_file, key_of


def test_keys_depend_on_every_part_and_its_limits() -> None:
    assert key_of(["ab", "c"]) != key_of(["a", "bc"])
    assert key_of(["ab", b"c"]) == key_of([b"ab", "c"])


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))


class Maker:
    def __init__(self) -> None:
        self.calls = 0

    def __call__(self, target: Path) -> None:
        self.calls += 1
        target.write_text(f"made {self.calls}")


def test_a_result_is_made_once() -> None:
    make = Maker()
    first = cached_file("thing", "key", make)
    assert cached_file("thing", "key", make) == first
    assert (first.read_text(), make.calls) == ("made 1", 1)


def test_a_damaged_result_is_made_again() -> None:
    make = Maker()
    cached_file("thing", "key", make).write_text("mad")
    assert cached_file("thing", "key", make).read_text() == "made 2"


def test_a_killed_maker_leaves_nothing_that_is_trusted() -> None:
    def die(target: Path) -> None:
        target.write_text("half")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        cached_file("thing", "key", die)
    assert cached_file("thing", "key", Maker()).read_text() == "made 1"
