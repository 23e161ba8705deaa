"""Every `trainyard …` of the documentation is a command with such options."""

import re
import shlex
from typing import Any

import pytest
import typer.main
from trainyard_client.cli.main import app
from trainyard_devtools.repo import ROOT

BLOCK = re.compile(r"```sh\n(.*?)```", flags=re.DOTALL)
COMMAND = re.compile(r"(?:^|[(|;&`])\s*(?:kubectl )?trainyard (?!COMMAND)(.*)")
PAGES = (*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), ROOT / "charts/trainyard/templates/NOTES.txt")
ROOT_COMMAND: Any = typer.main.get_command(app)


def lines() -> list[tuple[str, str]]:
    found = []
    for page in PAGES:
        text = page.read_text()
        blocks = BLOCK.findall(text) if page.suffix == ".md" else [text]
        for line in "\n".join(blocks).splitlines():
            match = COMMAND.search(line.split(" #")[0])
            if match:
                found.append((str(page.relative_to(ROOT)), match[1]))
    return found


def parse(words: list[str]) -> None:
    """As the program does, without running anything. Raises for what it would refuse."""
    command, name = ROOT_COMMAND, "trainyard"
    while hasattr(command, "commands") and words and not words[0].startswith("-"):
        name, *words = words
        command = command.commands[name]
    with command.make_context(name, words, resilient_parsing=False):
        pass


@pytest.mark.parametrize(("page", "line"), lines())
def test_a_command_can_be_typed(page: str, line: str) -> None:
    text = re.sub(r"\{\{.*?\}\}", "ml", line)
    text = re.split(r" [>|&)]|\) |`", text)[0].removesuffix(")")
    words = [word for word in shlex.split(text) if word not in ("-h", "--install-completion")]
    parse(words or ["list"])


def test_all_commands_are_documented() -> None:
    page = (ROOT / "docs" / "cli.md").read_text()
    for name, command in ROOT_COMMAND.commands.items():
        if not command.hidden:
            assert f"trainyard {name}" in page, name
    for name in ROOT_COMMAND.commands["models"].commands:
        assert f"trainyard models {name}" in page, name


@pytest.mark.parametrize("name", sorted(ROOT_COMMAND.commands))
def test_each_command_and_option_has_a_help_text(name: str) -> None:
    found = [ROOT_COMMAND.commands[name]]
    found += getattr(found[0], "commands", {}).values()
    for command in found:
        assert command.help, command.name
        for parameter in command.params:
            assert parameter.help, (command.name, parameter.name)
