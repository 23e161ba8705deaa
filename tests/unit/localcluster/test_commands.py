from pathlib import Path

import pytest
from localcluster.commands import run

from localcluster import CommandFailedError, LocalclusterError


def test_output_is_given_back() -> None:
    assert run(("cat",), stdin="text") == "text"


def test_a_failure_shows_command_and_end_of_its_own_log(tmp_path: Path) -> None:
    log = tmp_path / "step.log"
    log.write_text("of an earlier run\n")
    script = "for i in $(seq 30); do echo line $i; done; exit 3"
    with pytest.raises(CommandFailedError) as caught:
        run(("sh", "-c", script), log=log, advice="Try this.")
    message = str(caught.value)
    assert "exit code 3: sh -c" in message
    assert "line 30" in message
    assert "line 10\n" not in message
    assert "earlier run" not in message
    assert message.endswith(f"whole log: {log}\nTry this.")


def test_a_missing_program_is_named() -> None:
    with pytest.raises(LocalclusterError, match="'no-such-program' was not found"):
        run(("no-such-program",))
