"""Operations that are logged and applied by one transaction: which those are, and that nobody can tell."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from collecting import contents, ids

from vecstore import Collection, PointNotFound
from vecstore.engine import writer
from vecstore.storage.environment import Environment
from vecstore.storage.pieces import Pieces

if TYPE_CHECKING:
    from collections.abc import Callable

    from collecting import Home

    from vecstore import UpdateFuture

POINT = {"id": 1, "vector": [1, 2], "payload": {"n": 1}}
SOME = {"must": [{"key": "n", "match": {"value": 1}}]}
NAMING: list[Callable[[Collection], UpdateFuture[Any]]] = [
    lambda col: col.upsert([{**POINT, "id": 2}]),
    lambda col: col.update_vectors([{"id": 1, "vector": [3, 4]}]),
    lambda col: col.set_payload({"m": 1}, [1]),
    lambda col: col.overwrite_payload({"m": 1}, [1]),
    lambda col: col.delete_payload(["n"], [1]),
    lambda col: col.clear_payload([1]),
    lambda col: col.delete_vectors([""], [1]),
    lambda col: col.delete([1]),
    lambda col: col.batch([{"delete": {"points": [1]}}, {"upsert": {"points": [POINT]}}]),
]
FILTERING: list[Callable[[Collection], UpdateFuture[Any]]] = [
    lambda col: col.upsert([POINT], update_filter=SOME),
    lambda col: col.update_vectors([{"id": 1, "vector": [3, 4]}], update_filter=SOME),
    lambda col: col.set_payload({"m": 1}, SOME),
    lambda col: col.delete(SOME),
    lambda col: col.batch([{"delete": {"points": [1]}}, {"delete": {"filter": SOME}}]),
    lambda col: col.create_payload_index("n", "integer"),
]


class Counts:
    """How many transactions there were, and entries in the log."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.transactions = self.entries = 0
        write, append = Environment.write, Pieces.append

        def writing(env: Environment, work: Any) -> Any:
            self.transactions += 1
            return write(env, work)

        def appending(pieces: Pieces, txn: Any, number: int, value: Any) -> int:
            self.entries += pieces._what == "logged operation"
            return append(pieces, txn, number, value)

        patch.setattr(Environment, "write", writing)
        patch.setattr(Pieces, "append", appending)


@pytest.fixture
def one(disk: Home) -> Collection:
    col = disk.make()
    col.upsert([POINT]).result()
    return col


@pytest.mark.parametrize("operation", NAMING)
def test_what_names_its_points_takes_one_transaction(
    operation: Callable[[Collection], UpdateFuture[Any]], one: Collection, disk: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        counts = Counts(patch)
        future = operation(one)
        future.acknowledged()
        future.result()
        assert (counts.transactions, counts.entries) == (1, 0)
    expected = contents(one)
    one.close()
    assert contents(disk.again()) == expected


@pytest.mark.parametrize("operation", FILTERING)
def test_what_filters_is_logged_first(
    operation: Callable[[Collection], UpdateFuture[Any]], one: Collection, monkeypatch: pytest.MonkeyPatch
) -> None:
    counts = Counts(monkeypatch)
    operation(one).result()
    assert counts.entries == 1


def test_what_is_large_is_logged_first(one: Collection, monkeypatch: pytest.MonkeyPatch) -> None:
    counts, large = Counts(monkeypatch), {"text": "x" * writer.AT_ONCE_BYTES}
    one.set_payload(large, [1]).result()
    assert counts.entries == 1
    one.upsert([POINT | {"payload": large}]).result()
    assert counts.entries == 2
    record = one.get(POINT["id"])
    assert record is not None
    assert record.payload == large


def test_what_is_refused_has_no_effect(one: Collection, disk: Home) -> None:
    expected, refused = contents(one), one.set_payload({"m": 1}, [1, 7])
    assert refused.acknowledged().status == "acknowledged"
    with pytest.raises(PointNotFound, match="7"):
        refused.result()
    assert contents(one) == expected
    one.close()
    again = disk.again()
    assert contents(again) == expected
    assert again.delete([1]).result().operation_id > refused.operation_id
    assert ids(again.scroll()[0]) == []
