"""The script of a crash lab: what people say to the bot, and where time passes.

Every entry has a time of its own on the clock, the same one in every run: what a fault delayed by seconds is over
before the next entry, so that two runs may be compared line by line.
"""

import reprlib
from collections.abc import Sequence
from datetime import timedelta

import msgspec

from turnkeeper.errors import ConfigurationError
from turnkeeper.model.message import Kind

MAX_ENTRIES = 200
"""Entries of one script. Each is attacked in some forty ways, and each way runs the whole script."""


class Said(msgspec.Struct, frozen=True, kw_only=True):
    """Something said or pressed, where a plain text does not tell enough. `person`, `channel` empty: the lab's own.

    `kind=Kind.ACTION` presses a button or calls a webhook: `text` names it, `data` goes with it.
    """

    text: str
    person: str = ""
    channel: str = ""
    kind: Kind = Kind.TEXT
    data: object = None


Entry = str | Said | timedelta
"""A text, something said by somebody, or a time in which nobody says anything."""


class Item(msgspec.Struct, frozen=True, kw_only=True):
    """An entry with its number, from 1. `said` None: time passes. `message_id` is the same in every run."""

    number: int
    said: Said | None
    passes: timedelta

    @property
    def message_id(self) -> str:
        """The id that every delivery and repetition of this message carries."""
        return f"lab-{self.number}"

    @property
    def label(self) -> str:
        """The entry as a report shows it."""
        return f"wait {self.passes}" if self.said is None else reprlib.repr(self.said.text)


def read_script(script: Sequence[Entry], *, person: str, channel: str, pause: timedelta) -> tuple[Item, ...]:
    """Number the entries.

    Args:
        script: One entry at least, `MAX_ENTRIES` at most.
        person: Who speaks unless an entry says otherwise.
        channel: On which way, unless an entry says otherwise.
        pause: How long nothing is said after each text; recovery from a fault must fit into it.

    Raises:
        ConfigurationError: The script is empty or too long or none, or it waits for a time before now.
    """
    if isinstance(script, str | bytes) or not isinstance(script, Sequence):
        raise ConfigurationError(f"a script is a list of entries such as ['tea', minutes(5), 'water'], got {script!r}")
    if not 0 < len(script) <= MAX_ENTRIES:
        raise ConfigurationError(f"a script has 1 to {MAX_ENTRIES} entries, this one has {len(script)}")
    return tuple(_read(number, entry, person, channel, pause) for number, entry in enumerate(script, start=1))


def _read(number: int, entry: Entry, person: str, channel: str, pause: timedelta) -> Item:
    if isinstance(entry, timedelta):
        if entry <= timedelta(0):
            raise ConfigurationError(f"entry {number} of the script waits for {entry}; time runs forwards")
        return Item(number=number, said=None, passes=entry)
    said = Said(text=entry) if isinstance(entry, str) else entry
    if not isinstance(said, Said):
        raise ConfigurationError(f"entry {number} of the script is {said!r}; a text, Said(…) or a timedelta is wanted")
    said = msgspec.structs.replace(said, person=said.person or person, channel=said.channel or channel)
    return Item(number=number, said=said, passes=pause)
