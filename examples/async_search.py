"""A collection in asyncio: `python examples/async_search.py`. Nothing blocks the loop: the clock goes on ticking."""

from __future__ import annotations

import asyncio
from pathlib import Path

from vecstore import AsyncCollection, PointStruct, VectorParams, field
from vecstore.testing import random_points

PATH = Path("async.vecstore")
SIZE = 64


async def main(points: list[PointStruct]) -> None:
    clock = asyncio.create_task(ticking())
    async with AsyncCollection(PATH, vectors=VectorParams(size=SIZE, distance="Cosine")) as col:
        result = await col.upsert(points[:1000])  # applied: every search finds it
        print(f"operation {result.operation_id} is {result.status.value}")

        update = col.upsert(points[1000:2000])  # under way, though nobody waits for it
        print(f"then it was {(await update.acknowledged()).status.value}, and later {(await update).status.value}")

        rest = range(2000, 10_000, 1000)  # this only waits for room in the queue, not for the disk
        futures = [await col.upsert(points[n : n + 1000]).future() for n in rest]
        await asyncio.gather(*futures)
        print(f"{await col.count():,} points")

        queries = [point.vector for point in points[:100]]
        cheap = field("price") < 10
        found = await asyncio.gather(*(col.search(query, filter=cheap, limit=3) for query in queries))
        print(f"{len(found)} searches at a time found {sum(map(len, found))} points")
    clock.cancel()
    print("the clock ticked meanwhile:", ticks > 0)


ticks = 0


async def ticking() -> None:
    global ticks
    while True:
        await asyncio.sleep(0.01)
        ticks += 1


if __name__ == "__main__":
    asyncio.run(main(random_points(10_000, SIZE)))
