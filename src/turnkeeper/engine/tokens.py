"""Names for owners of leases and claims: no two of them are ever equal, whichever process made them.

One is made for every message, so that they count under a name that is drawn once: asking the operating system each
time gives up the interpreter to whichever thread writes, which costs more than all the rest of a token.
"""

import os
import random


class Tokens:
    """The tokens of one process; a forked child goes on under a name of its own."""

    __slots__ = ("_count", "_entropy", "_name", "_process")

    def __init__(self, entropy: random.Random) -> None:
        """Take what names are drawn from."""
        self._entropy = entropy
        self._process = -1
        self._name = ""
        self._count = 0

    def fresh(self) -> str:
        """Return a token that was never returned before."""
        process = os.getpid()
        if process != self._process:
            self._process = process
            self._name = f"{self._entropy.getrandbits(96):024x}"
        self._count += 1
        return f"{self._name}{self._count:x}"
