"""The command as a shell starts it, in this process."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from trainyard_client.cli.main import main


@dataclass(frozen=True)
class Done:
    code: int
    out: str
    err: str


Trainyard = Callable[..., Done]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A person without any configuration."""
    for name in ("TRAINYARD_URL", "TRAINYARD_TOKEN", "KUBECONFIG", "XDG_CONFIG_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("TERM", "dumb")
    return tmp_path


@pytest.fixture
def trainyard(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Trainyard:
    def run(*words: object, program: str = "trainyard") -> Done:
        monkeypatch.setattr("sys.argv", [f"/usr/bin/{program}", *map(str, words)])
        with pytest.raises(SystemExit) as ended:
            main()
        printed = capsys.readouterr()
        code = ended.value.code
        assert "\x1b" not in printed.out + printed.err
        return Done(code if isinstance(code, int) else 0, printed.out, printed.err)

    return run
