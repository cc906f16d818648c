"""An event loop that must keep ticking: a task that counts, and gates that hold what other threads do."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine

    import pytest

T = TypeVar("T")
PATIENCE = 30


def run(work: Coroutine[Any, Any, T]) -> T:
    """What becomes of a coroutine in a loop of its own, which may not last for ever."""

    async def patiently() -> T:
        return await asyncio.wait_for(work, PATIENCE)

    return asyncio.run(patiently())


async def ticks(count: int = 5) -> None:
    """Wait until the loop has come round this many times: for ever, where something blocks it."""
    for _ in range(count):
        await asyncio.sleep(0.001)


async def ticked_while(waiting: Awaitable[T], held: Gate | None = None) -> asyncio.Future[T]:
    """The loop has ticked while ``waiting``, once it is at the gate, was not done."""
    future = asyncio.ensure_future(waiting)
    while held is not None and not held.reached.is_set():
        await asyncio.sleep(0.001)
    await ticks()
    assert not future.done()
    return future


class Gate:
    """Calls of ``owner.name`` wait until it is opened."""

    def __init__(self, patch: pytest.MonkeyPatch, owner: Any, name: str) -> None:
        self.reached, self._open, self.passed = threading.Event(), threading.Event(), 0
        call: Callable[..., Any] = getattr(owner, name)

        def wait(*args: Any, **options: Any) -> Any:
            self.reached.set()
            assert self._open.wait(PATIENCE)
            self.passed += 1
            return call(*args, **options)

        patch.setattr(owner, name, wait)

    def open(self) -> None:
        self._open.set()
