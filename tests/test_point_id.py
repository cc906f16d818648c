"""Ids for names."""

from __future__ import annotations

import subprocess
import sys
from typing import Any
from uuid import NAMESPACE_URL, UUID, uuid5

import pytest
from collecting import contents
from hypothesis import given
from hypothesis import strategies as st

from vecstore import Collection, InvalidId, InvalidType, PointStruct, point_id
from vecstore.ids import NAMESPACE

PROMISED = {
    "": "39042383-214a-5b4e-a7de-5efb822bfaa4",
    "readme.md#3": "a7cf9ee3-d2a6-5733-96e6-502f649ce568",
    "Grüße, 世界 🙂": "fe77edf2-c29a-50c1-8c3d-f7a5f3467113",
    "936da01f-9abd-4d9d-80c7-02af85c822a8": "65bd4ef3-26ea-5d2e-8213-14c750865f51",
}


def test_an_id_is_promised_for_ever() -> None:
    assert {name: point_id(name) for name in PROMISED} == PROMISED
    assert UUID("e00cebcc-ad77-5107-8675-b09c9c807f84") == NAMESPACE == uuid5(NAMESPACE_URL, "vecstore:point_id")
    assert str(NAMESPACE) in str(point_id.__doc__)


@given(st.text())
def test_an_id_is_the_uuid_of_a_name_as_it_is_read_back(name: str) -> None:
    found = point_id(name)
    assert found == str(uuid5(NAMESPACE, name)) == str(UUID(found))
    assert UUID(found).version == 5


@given(st.lists(st.text(), unique=True, min_size=2, max_size=2))
def test_different_names_have_different_ids(names: list[str]) -> None:
    assert point_id(names[0]) != point_id(names[1])


def test_a_name_is_the_same_point_every_time(col: Collection) -> None:
    for vector in ([1, 2], [3, 4]):
        col.upsert([PointStruct(point_id("a name"), vector, {"name": "a name"})]).result()
    assert contents(col) == {point_id("a name"): ({"name": "a name"}, [3, 4])}
    assert point_id("a name") in col
    assert point_id("A name") not in col


def test_another_process_has_the_same_ids() -> None:
    code = "from vecstore import point_id; print(point_id('a name'))"
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert shown.strip() == point_id("a name")


def test_a_subclass_of_str_is_a_name() -> None:
    class Name(str):
        __slots__ = ()

        def __str__(self) -> str:
            return "something else"

    assert point_id(Name("a name")) == point_id("a name")


@pytest.mark.parametrize("wrong", [1, None, b"a name", UUID(int=1), ["a name"]])
def test_what_is_no_string_is_no_name(wrong: Any) -> None:
    with pytest.raises(InvalidType, match="expected a name as a string, got"):
        point_id(wrong)


def test_a_lone_surrogate_is_no_name() -> None:
    with pytest.raises(InvalidId, match="expected a name of Unicode text"):
        point_id("\ud800")
