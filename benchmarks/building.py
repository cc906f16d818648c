"""The first process of a peer: it loads the points and builds the indexes."""

from __future__ import annotations

import gc
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING

from benchmarks.meter import on_disk, progress, seconds
from benchmarks.peers import PEERS

if TYPE_CHECKING:
    from benchmarks.data import Part
    from benchmarks.subject import Peer
    from benchmarks.workload import Maker

BATCH = 1000
STORE = "store"


def build(name: str, maker: Maker, folder: str, laps: int) -> dict[str, float]:
    """Figures of loading in ``laps`` equal parts, of building, and of what is then on the disk."""
    progress(f"{name}: making the data")
    work = maker.make()
    place = Path(folder, STORE)
    place.mkdir()
    peer = PEERS[name].make()(place, work.shape)
    gc.collect()
    gc.freeze()  # millions of payloads are the benchmark's own: no peer's collector shall walk them
    found = load(name, peer, work.bulk, laps) | indexes(name, peer)
    found["close"] = seconds(peer.close)
    return found | {"disk": on_disk(place)}


def load(name: str, peer: Peer, part: Part, laps: int) -> dict[str, float]:
    """Every lap ends when its points can be found, and are as durable as the peer makes them."""
    times = []
    for lap in range(laps):
        start = perf_counter()
        add(name, peer, part, len(part) * lap // laps, len(part) * (lap + 1) // laps)
        peer.finish()
        times.append(perf_counter() - start)
    found = {"load": len(part) / sum(times)}
    return found | {"pace": times[0] / times[-1]} if laps > 1 else found


def add(name: str, peer: Peer, part: Part, start: int, stop: int) -> None:
    for first in range(start, stop, BATCH):
        peer.add(part.cut(first, min(first + BATCH, stop)))
        if first % (10 * BATCH) == 0:
            progress(f"{name}: {first:,} of {len(part):,} points loaded")


def indexes(name: str, peer: Peer) -> dict[str, float]:
    steps = ("optimize", "index_payloads")
    found = {}
    for key in steps if peer.graph_first else reversed(steps):
        if hasattr(peer, key):
            progress(f"{name}: {key.replace('_', ' ')}")
            found[key] = seconds(getattr(peer, key))
    return found
