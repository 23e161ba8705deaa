"""Where the API is and with which token: `config.toml` in the user's configuration folder."""

import os
import tempfile
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import tomli_w

from trainyard_client.cli.errors import CommandError


def config_path() -> Path:
    """`~/.config/trainyard/config.toml`, or under XDG_CONFIG_HOME."""
    home = os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config"
    return Path(home) / "trainyard" / "config.toml"


@dataclass(frozen=True)
class Config:
    """What `login` stores."""

    url: str | None = None
    token: str | None = None

    @classmethod
    def load(cls) -> Self:
        """The stored configuration; empty where nothing is stored."""
        path = config_path()
        try:
            document = tomllib.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return cls()
        except (OSError, ValueError) as error:
            raise CommandError(
                f"{path}: {error}. Mend it, or remove it and log in anew."
            ) from error
        url, token = document.get("url"), document.get("token")
        for name, value in (("url", url), ("token", token)):
            if value is not None and not isinstance(value, str):
                raise CommandError(f"{path}: {name} must be a text in quotes")
        return cls(url, token)

    def save(self) -> Path:
        """Write it as a whole, readable for its owner alone."""
        path = config_path()
        given = {"url": self.url, "token": self.token}
        document = {name: value for name, value in given.items() if value is not None}
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            # Made with mode 0600: at no moment can others read it.
            handle, name = tempfile.mkstemp(dir=path.parent, prefix=".config-")
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                file.write(tomli_w.dumps(document))
            Path(name).replace(path)
        except OSError as error:
            raise CommandError(f"{path} cannot be written: {error.strerror}") from error
        return path
