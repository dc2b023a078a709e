"""Tokens: no two owners ever have the same name."""

import os
import random

from turnkeeper.engine.tokens import Tokens


def test_no_token_is_returned_twice() -> None:
    """Two engines of one process share no token either."""
    engines = [Tokens(random.SystemRandom()) for _ in range(2)]
    made = [tokens.fresh() for _ in range(1_000) for tokens in engines]

    assert len(set(made)) == len(made)


def test_a_forked_child_makes_tokens_of_its_own() -> None:
    """Parent and child go on from the same count, but under different names."""
    tokens = Tokens(random.SystemRandom())
    tokens.fresh()
    readable, writable = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(writable, tokens.fresh().encode())
        os._exit(0)
    os.waitpid(child, 0)
    os.close(writable)
    with os.fdopen(readable) as pipe:
        childs = pipe.read()

    assert childs
    assert childs != tokens.fresh()
