"""What is known of a filter without running it, what running it looks at, and datetimes on their own."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import Point

from vecstore.filters import compile_filter, needs_payload, parse_datetime, parse_filter
from vecstore.filters.datetimes import EARLIEST, LATEST, format_datetime

FIELD = {"key": "a", "is_null": True}
IDENTITY = [{"has_id": [1]}, {"has_vector": ""}, {"slice": {"total": 1, "index": 0}}]


class Bare(Point):
    """A point whose payload must not be asked for."""

    @property  # type: ignore[misc]
    def payload(self) -> dict[str, Any]:
        raise AssertionError("the payload was asked for")

    @payload.setter
    def payload(self, value: dict[str, Any]) -> None:
        pass


@pytest.mark.parametrize(
    ("wanted", "needed"),
    [
        ({}, False),
        ({"must": IDENTITY, "should": IDENTITY, "must_not": {"has_id": []}}, False),
        ({"min_should": {"conditions": [{"should": IDENTITY}], "min_count": 1}}, False),
        ({"must": [*IDENTITY, FIELD]}, True),
        ({"must_not": {"should": [{"must": FIELD}]}}, True),
        ({"min_should": {"conditions": [FIELD], "min_count": 1}}, True),
        ({"must": {"is_empty": {"key": "a"}}}, True),
        ({"must": {"is_null": {"key": "a"}}}, True),
        ({"must": {"nested": {"key": "a", "filter": {"must": IDENTITY}}}}, True),
    ],
)
def test_needs_payload(wanted: dict[str, Any], needed: bool) -> None:
    parsed = parse_filter(wanted)
    assert needs_payload(parsed) == needed
    if not needed:
        assert compile_filter(parsed)(Bare())


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ({"must": [FIELD, {"has_id": [2]}]}, False),
        ({"must": [FIELD, {"must": [FIELD, {"has_id": [2]}]}], "should": {"has_id": [1]}}, None),
        ({"should": [FIELD, {"has_id": [1]}]}, True),
        ({"must_not": [FIELD, {"has_id": [1]}]}, False),
    ],
)
def test_payloads_are_asked_for_last(wanted: dict[str, Any], found: bool | None) -> None:
    predicate = compile_filter(parse_filter(wanted))
    if found is None:
        with pytest.raises(AssertionError, match="asked for"):
            predicate(Bare(id=1))
    else:
        assert predicate(Bare(id=1)) == found


def utc(*parts: int) -> int:
    moment = datetime(*parts, tzinfo=timezone.utc)  # type: ignore[arg-type,misc]
    return (moment - datetime(1970, 1, 1, tzinfo=timezone.utc)) // timedelta(microseconds=1)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1970-01-01", 0),
        ("2021-06-15T12:30:45.123456Z", utc(2021, 6, 15, 12, 30, 45, 123456)),
        ("2021-06-15T12:30:45.1Z", utc(2021, 6, 15, 12, 30, 45, 100000)),
        ("2021-06-15T12:30:45.1234569999Z", utc(2021, 6, 15, 12, 30, 45, 123456)),
        ("1969-12-31T23:59:59.9999999", -1),
        ("2021-06-15T12:30:45 +02:00", utc(2021, 6, 15, 10, 30, 45)),
        ("2021-06-15T12:30:45-02", utc(2021, 6, 15, 14, 30, 45)),
        ("2021-06-15T12:30:45-0230", utc(2021, 6, 15, 15, 0, 45)),
        ("2021-06-15 12:30:45 UTC", utc(2021, 6, 15, 12, 30, 45)),
        ("2021-6-5  1:2:3", utc(2021, 6, 5, 1, 2, 3)),
        (" 2021-06-15", utc(2021, 6, 15)),
        ("2020-12-31T23:59:60Z", utc(2021, 1, 1)),
        ("2020-02-29", utc(2020, 2, 29)),
        ("0001-01-01", EARLIEST),
        ("9999-12-31T23:59:59.999999Z", LATEST),
    ],
)
def test_rule_32_datetimes(text: str, expected: int) -> None:
    assert parse_datetime(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "2021",
        "2021-06",
        "20210615",
        "2021-02-29",
        "2021-00-01",
        "2021-06-15T",
        "2021-06-15T12",
        "2021-06-15T24:00:00",
        "2021-06-15T12:60:00",
        "2021-06-15T12:30:61",
        "2021-06-15T12:30Z",
        "2021-06-15T12:30:45.Z",
        "2021-06-15T12:30:45+24:00",
        "2021-06-15T12:30:45+05:60",
        "2021-06-15T12:30:45+5",
        "2021-06-15T12:30:45 CET",
        "2021-06-15_12:30:45",
        "2021-06-15\n",
        "21-06-15",
        "0000-01-01",
        "0001-01-01T00:00:00+01:00",
        "9999-12-31T23:59:59-01:00",
        "٢٠٢١-06-15",
        "1623760245",
    ],
)
def test_rule_32_what_is_no_datetime(text: str) -> None:
    assert parse_datetime(text) is None


@given(st.integers(EARLIEST, LATEST))
def test_datetimes_are_written_as_they_are_read(microseconds: int) -> None:
    assert parse_datetime(format_datetime(microseconds)) == microseconds


@given(st.text(st.sampled_from("0123456789-+:. TZ"), max_size=30) | st.text())
def test_any_text_is_a_datetime_or_none(text: str) -> None:
    found = parse_datetime(text)
    assert found is None or EARLIEST <= found <= LATEST
