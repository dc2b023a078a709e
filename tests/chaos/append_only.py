"""Reads an append-only file of Redis as far as it must be known where a command and a transaction end."""

from pathlib import Path


def whole_transactions(path: Path, start: int, end: int) -> int:
    """Return how many bytes of an append-only file, from `start` (a command's beginning) to `end`, may be kept.

    What is cut off is half a command, or a transaction without its EXEC.
    """
    with path.open("rb") as file:
        file.seek(start)
        text = file.read(end - start)
    at = kept = 0
    is_open = False
    while (command := _command(text, at)) is not None:
        word, at = command
        is_open = word == b"MULTI" or (is_open and word != b"EXEC")
        if not is_open:
            kept = at
    return kept


def _command(text: bytes, at: int) -> tuple[bytes, int] | None:
    """Return the first word of the command that begins there, and where it ends; None if it is not whole."""
    if text[at : at + 1] == b"#":  # a remark about the time
        end = text.find(b"\n", at)
        return None if end < 0 else (b"#", end + 1)
    words, at = _number(text, at)
    first = b""
    for word in range(words):
        size, at = _number(text, at)
        if at < 0 or at + size + 2 > len(text):
            return None
        if word == 0:
            first = text[at : at + size].upper()
        at += size + 2
    return (first, at) if words and at > 0 else None


def _number(text: bytes, at: int) -> tuple[int, int]:
    """Return the number of a line such as `*3`, and where the next one begins; -1 if the line is not whole."""
    end = text.find(b"\r\n", at) if at >= 0 else -1
    return (0, -1) if end < 0 else (int(text[at + 1 : end]), end + 2)
