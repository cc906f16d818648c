"""Extras: libraries that only some calls need, imported when they are called."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from vecstore.errors import MissingExtra

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def needs(extra: str) -> Iterator[None]:
    """Around the imports of an extra. Raises ``MissingExtra``, which says what to install."""
    try:
        yield
    except ImportError as error:
        if isinstance(error, MissingExtra):
            raise
        missing = f"{error.name} is not installed" if isinstance(error, ModuleNotFoundError) else str(error)
        raise MissingExtra(extra, f"{missing}; pip install 'vecstore[{extra}]'") from error
