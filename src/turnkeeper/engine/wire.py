"""Encoders and decoders of what the engine puts into a store; made once, since making one costs more than using it."""

import msgspec

from turnkeeper.model.message import Forward, JobCall, Message, Reply, TimerCall

encode = msgspec.json.Encoder().encode
decode_message = msgspec.json.Decoder(Message).decode
decode_reply = msgspec.json.Decoder(Reply).decode
decode_job = msgspec.json.Decoder(JobCall).decode
decode_timer = msgspec.json.Decoder(TimerCall).decode
decode_forward = msgspec.json.Decoder(Forward).decode
decode_texts = msgspec.json.Decoder(tuple[str, ...]).decode

UNREADABLE = (msgspec.DecodeError, ValueError, RecursionError)
"""What a decoder raises at bytes that it cannot read; the last one at thousands of nested brackets."""
