"""The one door to msgpack, the form of payloads, of the log, and of what the collection says of itself.

What may be packed: None, bool, int of 64 bits, float, str, bytes, list, and dict with keys of str or bytes.
msgpack takes more than that without a word: what users hand in is checked by ``vecstore.payloads`` first.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgpack

if TYPE_CHECKING:
    from collections.abc import Iterable


def pack(value: object) -> bytes:
    """The packed form of a value.

    Raises OverflowError for an integer over 64 bits, UnicodeEncodeError for a lone surrogate, TypeError for a
    kind it does not know, and ValueError past 500 levels of nesting.
    """
    packed: bytes = msgpack.packb(value)
    return packed


def pack_all(values: Iterable[object]) -> list[bytes]:
    """The packed form of each value; raises as ``pack`` does."""
    # A packer is not safe to share between threads, and keeps what it had when it fails: one for each call.
    return list(map(msgpack.Packer().pack, values))


def unpack(data: bytes | memoryview) -> Any:
    """The value that was packed. Raises ValueError when ``data`` is not one whole packed value."""
    return msgpack.unpackb(data)
