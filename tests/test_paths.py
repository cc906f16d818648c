"""Payload paths: the grammar of rule 19, and which values a path selects."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from payload_strategies import PAYLOADS, paths
from qdrant_client.local.payload_value_extractor import value_by_key
from qdrant_edge import PayloadSelector

from vecstore.errors import InvalidPath
from vecstore.paths import ALL, MAX_STEPS, Path, format_path, parse_path, values_at

GOOD: dict[str, Path] = {
    "a": ("a",),
    "a.b": ("a", "b"),
    "l[].x": ("l", ALL, "x"),
    "l[]": ("l", ALL),
    "l[0]": ("l", 0),
    "l[007]": ("l", 7),
    "l[12][][3].x": ("l", 12, ALL, 3, "x"),
    "snake_case-kebab.9": ("snake_case-kebab", "9"),
    "größe.名前.имя.٣": ("größe", "名前", "имя", "٣"),
    "हिन्दी": ("हिन्दी",),
    '"a.b"': ("a.b",),
    '"a b"."c[0]"[1]': ("a b", "c[0]", 1),
    'a."".b': ("a", "", "b"),
    '"line\nbreak"': ("line\nbreak",),
    r'"say \"hi\"".b': ('say "hi"', "b"),
    r'"back\\slash"': ("back\\slash",),
    ".".join(["a"] * MAX_STEPS): ("a",) * MAX_STEPS,
}

BAD = [
    "",
    ".",
    "a.",
    ".a",
    "a..b",
    "a.b.",
    "[0]",
    "[]",
    "a[",
    "a]",
    "a[0",
    "a[-1]",
    "a[+1]",
    "a[1.5]",
    "a[x]",
    "a[ 0]",
    "a[٣]",
    "a.[0]",
    "a[0]b",
    "a b",
    " a",
    "a ",
    "a\n",
    "a😀",
    "a$b",
    '"a',
    'a"',
    '"a"b',
    'a"b"',
    r'"a\n"',
    "a\\b",
    "\ud800",
    '"\ud800"',
    "a" + "[0]" * MAX_STEPS,
    "a[" + "9" * 5000 + "]",
]

NO_TEXT = [None, 5, True, b"a", ["a"], ("a",), {"a"}, ALL]


@pytest.mark.parametrize("text", GOOD)
def test_rule_19_paths_that_can_be_read(text: str) -> None:
    assert parse_path(text) == GOOD[text]


@pytest.mark.parametrize("text", BAD)
def test_rule_19_a_path_that_cannot_be_read_is_an_error(text: str) -> None:
    with pytest.raises(InvalidPath, match="expected a payload path"):
        parse_path(text)


@pytest.mark.parametrize("value", NO_TEXT, ids=repr)
def test_a_path_is_text(value: object) -> None:
    with pytest.raises(InvalidPath, match=f"got {type(value).__name__}"):
        parse_path(value)


def test_an_error_says_what_came_and_where_it_stops() -> None:
    with pytest.raises(InvalidPath, match=r"got str 'city\.\.name', .* at '\.\.name' \(character 4\)"):
        parse_path("city..name")
    with pytest.raises(InvalidPath, match=r"' name' \(character 4\)"):
        parse_path("city name")
    with pytest.raises(InvalidPath, match="at its end"):
        parse_path("")


def test_a_subclass_of_str_is_text() -> None:
    class Field(str):
        __slots__ = ()

    (key,) = parse_path(Field("a"))
    assert type(key) is str


@pytest.mark.parametrize(
    ("path", "text"),
    [
        (("items", 3, "price"), "items[3].price"),
        (("a", ALL, "b"), "a[].b"),
        (("a.b", "c d"), '"a.b"."c d"'),
        (("", 'q"\\'), r'""."q\"\\"'),
    ],
)
def test_paths_are_written_as_they_are_read(path: Path, text: str) -> None:
    assert format_path(path) == text
    assert parse_path(text) == path


@given(
    st.text(st.characters(codec="utf-8")),
    st.lists(st.text(st.characters(codec="utf-8")) | st.integers(0, 10**19) | st.just(ALL)),
)
def test_format_is_the_inverse_of_parse(key: str, rest: list[Any]) -> None:
    path = (key, *rest)[:MAX_STEPS]
    assert parse_path(format_path(path)) == path


@given(st.text() | st.text('ab.[]0"\\ '))
def test_any_text_is_a_path_or_an_invalid_path(text: str) -> None:
    try:
        path = parse_path(text)
    except InvalidPath:
        return
    assert parse_path(format_path(path)) == path


@given(st.text('aé.[]019"_- 名', max_size=12))
@example('a."b c"[0][].é')
def test_rule_19_edge_reads_the_same_paths(text: str) -> None:
    """Edge has no escapes in quotes, takes no combining marks in bare keys, and has no limit of steps."""
    try:
        PayloadSelector.Include([text])
    except ValueError:
        with pytest.raises(InvalidPath):
            parse_path(text)
    else:
        assert parse_path(text)


PAYLOAD: dict[str, Any] = {
    "n": 1,
    "null": None,
    "list": [1, [2, 3], {"x": 4}],
    "people": [{"name": "A", "tags": ["u", "v"]}, {"name": "B"}, "C", {"tags": []}],
    "deep": {"a": {"b": [[5], [6, 7]]}},
    "a.b": 8,
}


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("n", [1]),
        ("null", [None]),
        ("missing", []),
        ("missing.x", []),
        ("n.x", []),
        ("n[]", []),
        ("n[0]", []),
        ("list", [[1, [2, 3], {"x": 4}]]),
        ("list[]", [1, [2, 3], {"x": 4}]),
        ("list[][]", [2, 3]),
        ("list[1]", [[2, 3]]),
        ("list[1][0]", [2]),
        ("list[3]", []),
        ("list[99999999999999999999]", []),
        ("list.x", []),
        ("list[].x", [4]),
        ("people[].name", ["A", "B"]),
        ("people[].tags", [["u", "v"], []]),
        ("people[].tags[]", ["u", "v"]),
        ("people.name", []),
        ("deep.a.b", [[[5], [6, 7]]]),
        ("deep.a.b[][]", [5, 6, 7]),
        ("deep[]", []),
        ("a.b", []),
        ('"a.b"', [8]),
    ],
)
def test_the_values_a_path_selects(text: str, values: list[Any]) -> None:
    assert values_at(PAYLOAD, parse_path(text)) == values


@given(PAYLOADS, paths())
def test_the_client_selects_the_same_values(payload: dict[str, Any], path: Path) -> None:
    assert values_at(payload, path) == (value_by_key(payload, format_path(path), flat=False) or [])
