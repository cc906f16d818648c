"""Every limit of what may be said in one call, each enforced at the call, before anything is logged.

They keep what is asked for within the memory there is: a small request may stand for a large one, where it holds one
list many times, an array that repeats a row, or an iterator that does not end.
"""

from __future__ import annotations

from typing import Final

MAX_VECTOR_SIZE: Final = 65_536
"""The most dimensions a vector may have, as in Qdrant."""
MAX_NAME_LENGTH: Final = 255
"""The most characters of the name of a vector."""

MAX_DEPTH: Final = 64
"""How deep objects and arrays may be nested in a payload, which is itself the first level; and filters in filters."""
MAX_PAYLOAD_BYTES: Final = 16 << 20
"""The largest packed payload."""

MAX_STEPS: Final = 32
"""The most steps a payload path may have: keys, ``[n]`` and ``[]`` together."""
MAX_PATH_LENGTH: Final = 65_536
"""The most characters of a payload path."""

MAX_CONDITIONS: Final = 100_000
"""The most conditions a filter may have, those of the filters in it included."""
MAX_FILTER_BYTES: Final = 64 << 20
"""The most that the values of a filter may come to: a string counts its characters, any other value 8."""

MAX_POINTS: Final = 10_000_000
"""The most points, ids or query vectors in one call."""
MAX_OPERATION_BYTES: Final = 512 << 20
"""The largest operation, in its form in the log; and the most that the vectors of one call may come to."""
MAX_BATCH: Final = 100_000
"""The most operations in a batch."""

MAX_EF: Final = 65_536
"""The widest beam of a search in a graph."""
