"""Requests that change payloads: set, overwrite, delete keys, clear.

Each takes its parts, or a whole body as the only argument; ``points`` is ``OMITTED`` then.
"""

from __future__ import annotations

from vecstore.errors import InvalidPayload
from vecstore.operations import ClearPayload, DeletePayload, OverwritePayload, SetPayload
from vecstore.paths import format_path, parse_path
from vecstore.payloads import freeze_payload, pack_payload
from vecstore.requests.bodies import OMITTED, once, required, strings, unwrapped, whole_body
from vecstore.requests.selectors import parse_selector, selected

OVERWRITE_BODY = frozenset({"filter", "payload", "points"})
SET_BODY = OVERWRITE_BODY | {"key"}
DELETE_BODY = frozenset({"filter", "keys", "points"})


def parse_set_payload(payload: object, points: object = OMITTED, key: object = None) -> SetPayload:
    """A payload to merge, the points to merge it into, and the path in theirs. Raises ``InvalidRequest``."""
    if points is not OMITTED:
        return SetPayload(freeze_payload(payload), parse_selector(points), _path(key))
    what = "the body of set_payload"
    found = whole_body(unwrapped(payload, "set_payload"), what, SET_BODY, "points")
    merged = freeze_payload(required(found, "payload", what))
    return SetPayload(merged, selected(found), _path(once("key", key, found)))


def _path(key: object) -> str | None:
    if key is None:
        return None
    return format_path(parse_path(key))


def parse_overwrite_payload(payload: object, points: object = OMITTED) -> OverwritePayload:
    """A payload, and the points that get it in place of theirs. Raises ``InvalidRequest``."""
    if points is not OMITTED:
        return OverwritePayload(_packed(payload), parse_selector(points))
    what = "the body of overwrite_payload"
    found = whole_body(unwrapped(payload, "overwrite_payload"), what, OVERWRITE_BODY, "points")
    return OverwritePayload(_packed(required(found, "payload", what)), selected(found))


def _packed(payload: object) -> bytes:
    if payload is None:  # for a point that is the empty payload; here it is a payload that was forgotten
        raise InvalidPayload("", "expected a payload, got None")
    return pack_payload(payload)


def parse_delete_payload(keys: object, points: object = OMITTED) -> DeletePayload:
    """Payload paths, and the points to delete them from. Raises ``InvalidRequest``."""
    if points is not OMITTED:
        return DeletePayload(_paths(keys), parse_selector(points))
    what = "the body of delete_payload"
    found = whole_body(unwrapped(keys, "delete_payload"), what, DELETE_BODY, "points")
    return DeletePayload(_paths(required(found, "keys", what)), selected(found))


def _paths(keys: object) -> tuple[str, ...]:
    return tuple(dict.fromkeys(format_path(parse_path(key)) for key in strings(keys, "payload keys")))


def parse_clear_payload(points: object) -> ClearPayload:
    """The points whose payload becomes empty. Raises ``InvalidRequest``."""
    return ClearPayload(parse_selector(unwrapped(points, "clear_payload")))
