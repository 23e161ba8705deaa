import sys
from pathlib import Path

import pytest
from trainyard_devtools import steps


@pytest.fixture(autouse=True)
def _logs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(steps, "LOGS", tmp_path)


def test_a_failure_shows_command_log_and_remedy(tmp_path: Path) -> None:
    script = "print('first'); print('the reason'); raise SystemExit(3)"
    with pytest.raises(steps.StepError) as caught:
        steps.run([sys.executable, "-c", script], log="build", hint="turn it off and on")
    text = str(caught.value)
    assert "exit code 3" in text
    assert "the reason" in text
    assert str(tmp_path / "build.log") in text
    assert "turn it off and on" in text


def test_output_is_kept_in_the_log(tmp_path: Path) -> None:
    steps.run([sys.executable, "-c", "print('done')"], log="x", hint="")
    assert (tmp_path / "x.log").read_text() == "done\n"


def test_a_quick_command_fails_with_its_own_words() -> None:
    with pytest.raises(steps.StepError, match="no luck"):
        steps.output([sys.executable, "-c", "import sys; sys.exit('no luck')"])
