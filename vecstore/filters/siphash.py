"""SipHash-2-4, the keyed hash that spreads point ids over slices.

Source: J.-P. Aumasson and D. J. Bernstein, "SipHash: a fast short-input PRF"; Qdrant's ``slice`` condition
uses it with a zero key.
"""

from __future__ import annotations

from typing import TypeAlias

_State: TypeAlias = tuple[int, int, int, int]

_MASK = 2**64 - 1
_COMPRESSION_ROUNDS, _FINAL_ROUNDS = 2, 4


def siphash24(data: bytes, key: bytes = bytes(16)) -> int:
    """The 64-bit hash of ``data`` under a key of 16 bytes."""
    k0, k1 = int.from_bytes(key[:8], "little"), int.from_bytes(key[8:], "little")
    state = (
        k0 ^ 0x736F6D6570736575,
        k1 ^ 0x646F72616E646F6D,
        k0 ^ 0x6C7967656E657261,
        k1 ^ 0x7465646279746573,
    )
    for word in _words(data):
        v0, v1, v2, v3 = state
        v0, v1, v2, v3 = _rounds((v0, v1, v2, v3 ^ word), _COMPRESSION_ROUNDS)
        state = (v0 ^ word, v1, v2, v3)
    v0, v1, v2, v3 = state
    v0, v1, v2, v3 = _rounds((v0, v1, v2 ^ 0xFF, v3), _FINAL_ROUNDS)
    return v0 ^ v1 ^ v2 ^ v3


def _words(data: bytes) -> list[int]:
    """``data`` as little-endian words; the last one ends with the length of ``data`` in its highest byte."""
    padded = data + bytes(7 - len(data) % 8) + bytes([len(data) % 256])
    return [int.from_bytes(padded[i : i + 8], "little") for i in range(0, len(padded), 8)]


def _rounds(state: _State, count: int) -> _State:
    v0, v1, v2, v3 = state
    for _ in range(count):
        v0 = (v0 + v1) & _MASK
        v1 = _rotated(v1, 13) ^ v0
        v0 = _rotated(v0, 32)
        v2 = (v2 + v3) & _MASK
        v3 = _rotated(v3, 16) ^ v2
        v0 = (v0 + v3) & _MASK
        v3 = _rotated(v3, 21) ^ v0
        v2 = (v2 + v1) & _MASK
        v1 = _rotated(v1, 17) ^ v2
        v2 = _rotated(v2, 32)
    return v0, v1, v2, v3


def _rotated(word: int, bits: int) -> int:
    return (word << bits | word >> (64 - bits)) & _MASK
