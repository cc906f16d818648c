"""Progress of long work: a bar of tqdm, or nothing at all."""

from __future__ import annotations

import warnings
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any, Protocol

from vecstore.errors import InvalidType
from vecstore.extras import needs
from vecstore.shapes import describe

if TYPE_CHECKING:
    from contextlib import AbstractContextManager


class Bar(Protocol):
    """What is told of progress."""

    def update(self, count: int) -> object:
        """So many more are done."""


class _Silent:
    def update(self, count: int) -> None:
        """Nobody looks."""


def bar(what: str, total: int | None, *, shown: object) -> AbstractContextManager[Bar]:
    """A bar on standard error, or in the notebook; one that is not ``shown`` needs no library.

    ``total``: how many points there will be, None where nobody knows. Raises ``MissingExtra``,
    ``InvalidType``.
    """
    if not isinstance(shown, bool):
        raise InvalidType(f"expected progress as a bool, got {describe(shown)}")
    if not shown:
        return nullcontext(_Silent())
    with needs("progress"), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a notebook without widgets has a bar of text, and tqdm warns of that
        from tqdm.auto import tqdm

        found: Any = tqdm(desc=what, total=total, unit=" points", unit_scale=True)
    return found  # type: ignore[no-any-return]
