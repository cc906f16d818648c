"""What is checked and mended: ``verify`` looks at everything that is kept, ``repair`` makes good what can be.

Each module checks one part against what its owner says must be true, and says for every problem what would mend it
(``cures``). Nothing is mapped before its checksum has been found right: FAISS, and LMDB, may end the process at
what they did not write.

LMDB's pages carry no checksums. Its verifier sees a damaged structure; log and journal have checksums of their
own; ids, slots, counters and payload indexes are held against each other. A flipped bit inside a payload that is
still JSON shows only where the field has a payload index.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from vecstore.checking.repairing import repair_closed
from vecstore.checking.verifying import verify_closed
from vecstore.engine.creation import folder_at
from vecstore.errors import InvalidType
from vecstore.shapes import describe

if TYPE_CHECKING:
    import os

    from vecstore.health import RepairReport, VerifyReport


def verify(path: str | os.PathLike[str]) -> VerifyReport:
    """Check everything a closed collection keeps; ``Collection.verify`` is the same for an open one.

    What is damaged is told, not raised, and changes nothing. Operations that are logged and not applied yet stay so.

    Raises ``NotACollection``, ``CollectionLocked``, ``UnsupportedFormat``, ``StoreFailed``.
    """
    return verify_closed(folder_at(path))


def repair(path: str | os.PathLike[str], *, drop: bool = False) -> RepairReport:
    """Mend what can be mended of a closed collection, and tell what cannot.

    Payload indexes are built again from the payloads, graphs from the rows, counters and bitmaps from what they
    count. Without ``drop`` nothing is ever lost: what cannot be mended stays as it is, and the report tells what
    giving it up would lose. ``drop=True`` gives it up, so that the rest can be used.

    Raises ``NotACollection``, ``CollectionLocked``, ``UnsupportedFormat``, ``StoreFailed``.
    """
    if not isinstance(drop, bool):
        raise InvalidType(f"expected drop as a bool, got {describe(drop)}")
    return repair_closed(folder_at(path), drop=drop)
