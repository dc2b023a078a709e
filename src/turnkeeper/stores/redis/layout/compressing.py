"""Makes large parts and log entries smaller. States are left alone: whoever looks with `redis-cli` reads their JSON.

Level 1 of zlib shrank typical JSON of 4 to 50 KB to a third or a quarter, at 20 to 40 microseconds a kilobyte to write
and two to read; level 6 saves a tenth more and takes twice as long. Below 4 KB it is not worth a longer turn.
"""

import asyncio
import zlib

from turnkeeper.errors import StoreUnreadableError

COMPRESS_ABOVE_BYTES = 4096

_THREAD_ABOVE_BYTES = 32 * 1024
"""More takes longer than a millisecond, which the event loop does not have."""

_LEVEL = 1
_HEADER = b"turnkeeper:"
_PACKED, _PLAIN = _HEADER + b"z\n", _HEADER + b"-\n"


async def packed(data: bytes) -> bytes:
    """Return a value as it is stored; a large one is compressed in another thread."""
    if len(data) > _THREAD_ABOVE_BYTES:
        return await asyncio.to_thread(pack, data)
    return pack(data)


async def unpacked(value: bytes) -> bytes:
    """Return what was packed; a large value is expanded in another thread."""
    if len(value) > _THREAD_ABOVE_BYTES and value.startswith(_PACKED):
        return await asyncio.to_thread(unpack, value)
    return unpack(value)


def is_changed(data: bytes) -> bool:
    """Return whether a value may be stored otherwise than it is."""
    return len(data) > COMPRESS_ABOVE_BYTES or data.startswith(_HEADER)


def pack(data: bytes) -> bytes:
    """Return a value as it is stored: as it is, unless it is large and gets smaller."""
    if len(data) > COMPRESS_ABOVE_BYTES:
        small = _PACKED + zlib.compress(data, _LEVEL)
        if len(small) < len(data):
            return small
    return _PLAIN + data if data.startswith(_HEADER) else bytes(data)


def unpack(value: bytes) -> bytes:
    """Return what was packed.

    Raises:
        StoreUnreadableError: It was damaged.
    """
    if value.startswith(_PLAIN):
        return value[len(_PLAIN) :]
    if not value.startswith(_PACKED):
        return value
    try:
        return zlib.decompress(value[len(_PACKED) :])
    except zlib.error as exc:
        raise StoreUnreadableError(
            f"a compressed part or log entry is damaged ({exc}); restore it from a backup"
        ) from exc
