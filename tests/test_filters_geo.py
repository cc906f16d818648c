"""Rule 38, places on earth, and rule 39, the hash that spreads ids over slices."""

from __future__ import annotations

from typing import Any

import pytest
from strategies import Point, matches

from vecstore.filters.geo import haversine
from vecstore.filters.siphash import siphash24

MOSCOW, LONDON = (37.6173, 55.7558), (-0.1278, 51.5074)


def place(lon: float, lat: float) -> dict[str, float]:
    return {"lon": lon, "lat": lat}


def line(*points: tuple[float, float]) -> dict[str, Any]:
    return {"points": [place(*point) for point in points]}


def found(value: Any, **clause: Any) -> bool:
    return matches({"must": {"key": "at", **clause}}, Point({"at": value}))


def test_rule_38_the_distance_is_along_the_surface() -> None:
    assert haversine(MOSCOW, LONDON) == pytest.approx(2_500_000, rel=0.01)
    assert haversine((0, 0), (180, 0)) == pytest.approx(6371008.8 * 3.141592653589793)
    assert haversine((0, 89.9), (180, 89.9)) == pytest.approx(haversine((0, 0), (0.2, 0)))


def test_rule_38_radius_is_strict() -> None:
    distance = haversine((0, 0), (1, 1))
    for radius, inside in ((distance, False), (distance * (1 + 1e-9), True), (0, False)):
        assert found(place(1, 1), geo_radius={"center": place(0, 0), "radius": radius}) == inside
    assert not found(place(0, 0), geo_radius={"center": place(0, 0), "radius": 0})


@pytest.mark.parametrize(("lon", "lat"), [(-50, 87.4), (310, 87.4), (670, 267.4)])
def test_rule_38_rounding_takes_no_place_out_of_the_world(lon: float, lat: float) -> None:
    # The haversines from the center to the second and third place round to more than 1, and to less than 0.
    assert found(place(lon, lat), geo_radius={"center": place(130, -87.4), "radius": 20_100_000})


@pytest.mark.parametrize(
    ("lon", "lat", "inside"),
    [
        (5, 5, True),
        (0, 5, False),
        (10, 5, False),
        (5, 0, False),
        (5, 10, False),
        (11, 5, False),
        (5, -1, False),
    ],
)
def test_rule_38_box_is_strict(lon: float, lat: float, inside: bool) -> None:
    box = {"top_left": place(0, 10), "bottom_right": place(10, 0)}
    assert found(place(lon, lat), geo_bounding_box=box) == inside


@pytest.mark.parametrize(
    ("lon", "inside"), [(175, True), (-175, True), (180, True), (170, False), (-170, False), (0, False)]
)
def test_rule_38_box_across_the_antimeridian(lon: float, inside: bool) -> None:
    box = {"top_left": place(170, 10), "bottom_right": place(-170, 0)}
    assert found(place(lon, 5), geo_bounding_box=box) == inside
    assert not found(place(lon, 0), geo_bounding_box=box)
    assert not found(place(lon, 10), geo_bounding_box=box)


SQUARE = line((0, 0), (10, 0), (10, 10), (0, 10), (0, 0))
HOLE = line((4, 4), (4, 6), (6, 6), (6, 4), (4, 4))
STAR = line((0, 3), (10, 3), (2, 10), (5, 0), (8, 10), (0, 3))


@pytest.mark.parametrize(
    ("lon", "lat", "inside"),
    [
        (1, 1, True),
        (0, 5, False),
        (10, 10, False),
        (5, 5, False),
        (4, 5, False),
        (6, 6, False),
        (3, 4, True),
        (11, 5, False),
        (-1, 0, False),
        (-1, 10, False),
    ],
)
def test_rule_38_polygon_without_its_lines_and_holes(lon: float, lat: float, inside: bool) -> None:
    assert found(place(lon, lat), geo_polygon={"exterior": SQUARE, "interiors": [HOLE]}) == inside


def test_rule_38_what_a_line_goes_round_twice_is_inside() -> None:
    assert found(place(5, 5), geo_polygon={"exterior": STAR})


@pytest.mark.parametrize(("end", "near", "left"), [((5.0, 9.5), (1.5, 2.85), True), ((9.0, 5.8), (3.6, 2.32), False)])
def test_rule_38_polygons_are_exact(end: tuple[float, float], near: tuple[float, float], left: bool) -> None:
    # In floating point the first place is on the other side of the line to `end`, and the second one on it.
    lon, lat = end
    on_the_left = line((0, 0), end, (0, lat), (0, 0))
    on_the_right = line((0, 0), (lon, 0), end, (0, 0))
    assert found(place(*near), geo_polygon={"exterior": on_the_left}) == left
    assert found(place(*near), geo_polygon={"exterior": on_the_right}) != left


@pytest.mark.parametrize("value", [place(5, 5) | {"name": "x"}, [place(50, 50), place(5, 5)]])
def test_rule_38_places(value: Any) -> None:
    assert found(value, geo_polygon={"exterior": SQUARE})


@pytest.mark.parametrize(
    "value",
    [
        {"lon": "5", "lat": "5"},
        {"lon": True, "lat": 5},
        {"lon": 5},
        {"lat": 5},
        {"lon": None, "lat": 5},
        {"lon": float("inf"), "lat": 5},
        [5, 5],
        "5,5",
        None,
        [[place(5, 5)]],
    ],
)
def test_rule_38_what_is_no_place_is_nowhere(value: Any) -> None:
    assert not found(value, geo_polygon={"exterior": SQUARE})
    assert not found(value, geo_radius={"center": place(5, 5), "radius": 1e9})
    assert not found(value, geo_bounding_box={"top_left": place(-180, 90), "bottom_right": place(180, -90)})


# From the reference implementation: the key is the bytes 0 to 15, the message the bytes 0 to n - 1.
PUBLISHED = {
    0: "310e0edd47db6f72",
    1: "fd67dc93c539f874",
    2: "5a4fa9d909806c0d",
    7: "37d1018bf50002ab",
    8: "6224939a79f5f593",
    15: "e545be4961ca29a1",
    16: "db9bc2577fcc2a3f",
    63: "724506eb4c328a95",
}


@pytest.mark.parametrize(("length", "expected"), PUBLISHED.items())
def test_rule_39_siphash_is_as_published(length: int, expected: str) -> None:
    assert siphash24(bytes(range(length)), bytes(range(16))).to_bytes(8, "little").hex() == expected


IDS: list[int | str] = [*range(300), "f47ac10b-58cc-4372-a567-0e02b2c3d479"]


@pytest.mark.parametrize("total", [1, 2, 5])
def test_rule_39_every_point_is_in_one_slice(total: int) -> None:
    slices = [{"must": {"slice": {"total": total, "index": index}}} for index in range(total)]
    for point_id in IDS:
        assert sum(matches(one, Point(id=point_id)) for one in slices) == 1


@pytest.mark.parametrize("point_id", IDS[-20:])
def test_rule_39_the_hash_is_of_the_bytes_of_the_id(point_id: int | str) -> None:
    data = point_id.to_bytes(8, "little") if isinstance(point_id, int) else bytes.fromhex(point_id.replace("-", ""))
    index = siphash24(data) % 1000
    assert matches({"must": {"slice": {"total": 1000, "index": index}}}, Point(id=point_id))
