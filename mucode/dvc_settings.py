"""DVC's configuration files, read without DVC, which takes a second to import: where there is a remote, and what is kept."""

from __future__ import annotations

import os
from collections.abc import Iterator
from configparser import ConfigParser, Error
from pathlib import Path

from mucode.types import MucodeError


def settings_files(workspace: Path) -> Iterator[Path]:
    """The files that DVC reads in a workspace, whether there or not, each laid over those before it."""
    of_all = Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config") / "dvc"
    yield Path(os.environ.get("DVC_SYSTEM_CONFIG_DIR") or "/etc/xdg/dvc") / "config"
    yield Path(os.environ.get("DVC_GLOBAL_CONFIG_DIR") or of_all) / "config"
    yield workspace / ".dvc/config"
    yield workspace / ".dvc/config.local"


def settings_in(file: Path, *, comments: bool = False) -> ConfigParser:
    """What a file says, nothing where there is none; `comments`: values with what follows a # behind them.

    Raises:
        MucodeError: it is none of DVC's.
    """
    said = ConfigParser(interpolation=None, strict=False, inline_comment_prefixes=None if comments else ("#",))
    lines = file.read_text(encoding="utf-8").splitlines() if file.is_file() else []
    try:
        said.read_string("\n".join(line.strip() for line in lines))  # to DVC an indented line continues no other
    except Error as error:
        reason = " ".join(str(error).replace("'<string>'", "it").split())
        raise MucodeError(f"{file} is no configuration of DVC ({reason}): correct it, or delete it") from error
    return said


def has_remote(workspace: Path) -> bool:
    """Whether DVC has a default remote here."""
    return any(settings_in(file).get("core", "remote", fallback="") for file in settings_files(workspace))


def renewed(file: Path, ours: str) -> str:
    """`ours` and what a person has set in `file` besides, such as a remote; but for its cache, which is the origin's."""
    kept, new = settings_in(file, comments=True), ConfigParser(interpolation=None)
    kept.remove_section("cache")
    new.read_dict(kept)
    new.read_string(ours)
    return "".join(_as_text(new, section) for section in new.sections())


def _as_text(said: ConfigParser, section: str) -> str:
    return f"[{section}]\n" + "".join(f"    {name} = {value}\n" for name, value in said.items(section))
