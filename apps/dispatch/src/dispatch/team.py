"""Who works here: the group, the vendors' chats and the couriers. From a JSON file, or the demonstration's."""

import os
from collections.abc import Mapping
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec

from turnkeeper import ConfigurationError


class Team(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Chats by their Telegram ids.

    Attributes:
        group: The courier team's group, where every order appears.
        vendors: Short name of each vendor to its chat.
        couriers: Names that an order can be given to by somebody else; everybody in the group can take one.
        timezone: In which times of day are read and written.
    """

    group: str
    vendors: Mapping[str, str]
    couriers: tuple[str, ...] = ()
    timezone: str = "Europe/Berlin"

    def __post_init__(self) -> None:
        """Refuse a time zone that nobody knows, before a vendor is asked for a time in it."""
        try:
            ZoneInfo(self.timezone)
        except (ZoneInfoNotFoundError, ValueError, OSError) as exc:
            raise ValueError(f"no time zone {self.timezone!r}") from exc


DEMO = Team(group="-1001", vendors={"JS": "-2001", "LR": "-2002", "HB": "-2003"}, couriers=("Ana", "Ben"))
"""The team of the demonstration."""


def team_from(environ: Mapping[str, str]) -> Team:
    """Return the team of the file that `DISPATCH_TEAM` names, else the demonstration's.

    Raises:
        ConfigurationError: The file cannot be read or does not describe a team.
    """
    path = environ.get("DISPATCH_TEAM", "").strip()
    if not path:
        return DEMO
    try:
        return msgspec.json.decode(Path(path).read_bytes(), type=Team)
    except (OSError, msgspec.DecodeError, UnicodeDecodeError) as exc:
        raise ConfigurationError(f"DISPATCH_TEAM={path}: {exc}; write a JSON object with group, vendors") from exc


TEAM = team_from(os.environ)
