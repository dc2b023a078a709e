"""Does a carrier take a phrase for itself? Only a warning: on a channel without carrier rules the phrase works."""

import warnings

from turnkeeper.dialogue.declaring.declarations import Gathered
from turnkeeper.dialogue.understanding.carrier_words import reserved_collisions


class FlowWarning(UserWarning):
    """Something in a flow is allowed, and probably not what was meant."""


def warn_about_carrier_words(flow: Gathered) -> None:
    """Warn of each phrase that is a reserved word as a whole message, at the line of the flow."""
    if not flow.carrier_words:
        return
    file, _, line = flow.where.rpartition(":")
    for collision in reserved_collisions(flow.intents):
        if collision.kind != "help":
            warnings.warn_explicit(f"flow {flow.name!r}: {collision.text}", FlowWarning, file, int(line))
