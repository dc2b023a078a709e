"""Codecs: how states and other values become readable JSON and typed values again. No I/O, no clock.

`StateCodec` is for the state of a conversation, `encode_value` and `decode_value` are for everything else; `delta`
holds the differences between encoded states that the event log keeps.
"""

from turnkeeper.codecs.extras import Extras
from turnkeeper.codecs.json import decode_value, encode_value
from turnkeeper.codecs.state import Decoded, Encoded, Envelope, StateCodec
from turnkeeper.codecs.upgrades import Upgrade
from turnkeeper.codecs.walk import Naive

__all__ = [
    "Decoded",
    "Encoded",
    "Envelope",
    "Extras",
    "Naive",
    "StateCodec",
    "Upgrade",
    "decode_value",
    "encode_value",
]
