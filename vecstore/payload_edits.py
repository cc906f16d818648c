"""What is done to unpacked payloads: merge into them, delete from them, and project them for the reader.

The edits work in place on a payload that ``unpack_payload`` has just made.

Source of the rules: Qdrant's ``JsonPath`` (``value_set``, ``value_remove``, ``value_filter``).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Final, TypeAlias

import numpy as np

from vecstore.errors import InvalidRequest, InvalidType
from vecstore.paths import ALL, Path, Step, parse_path, values_at
from vecstore.shapes import describe, members, only

Projection: TypeAlias = Callable[[dict[str, Any]], dict[str, Any]]
"""Makes of a whole payload what the reader asked for. What it returns may share parts with its argument."""


def merge(payload: dict[str, Any], values: Mapping[str, Any], path: Path | None = None) -> None:
    """Merge the top-level keys of ``values`` into the payload, or into the objects at ``path``.

    A null removes its key. Objects missing on the way are created, and what is no object becomes one. ``[]``
    goes into every element, ``[n]`` into one that exists; where they find no array, an empty one is put.
    Nothing of ``values`` is shared with the payload afterwards.
    """
    if path is None:
        _merge_keys(payload, values)
    else:
        _merged(payload, path, values)


def _merge_keys(target: dict[str, Any], values: Mapping[str, Any]) -> None:
    for key, value in values.items():
        if value is None:
            target.pop(key, None)
        else:
            target[key] = _copied(value)


def _merged(target: Any, path: Path, values: Mapping[str, Any]) -> Any:
    """What takes the place of ``target`` when ``values`` are merged in below it."""
    if not path:
        target = target if isinstance(target, dict) else {}
        _merge_keys(target, values)
        return target
    step, rest = path[0], path[1:]
    if isinstance(step, str):
        target = target if isinstance(target, dict) else {}
        target[step] = _merged(target.get(step), rest, values)
        return target
    target = target if isinstance(target, list) else []
    every = range(len(target))
    for index in every if step is ALL else every[step : step + 1]:
        target[index] = _merged(target[index], rest, values)
    return target


def _copied(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _copied(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_copied(item) for item in value]
    return value


def delete_path(payload: dict[str, Any], path: Path) -> None:
    """Delete what ``path`` selects. ``l[]`` empties the array; ``l[0]`` at the end does nothing.

    An element is not deleted by its index because the same request again would delete the next one.
    """
    for target in values_at(payload, path[:-1]):
        _delete_last(target, path[-1])


def _delete_last(target: Any, step: Step) -> None:
    if isinstance(step, str):
        if isinstance(target, dict):
            target.pop(step, None)
    elif step is ALL and isinstance(target, list):
        target.clear()


_Tree: TypeAlias = dict[Step, Any]  # the paths of a projection by their steps; None is the end of one
_SELECTORS = frozenset({"include", "exclude"})


def _whole(payload: dict[str, Any]) -> dict[str, Any]:
    return payload


WHOLE: Final[Projection] = _whole
"""The projection that leaves a payload as it is; compare with ``is`` to skip work."""


def parse_with_payload(value: object) -> Projection | None:
    """The projection a ``with_payload`` asks for; None when no payload is wanted.

    ``value``: a bool (None is False), a list of paths to include, or a model or dict with either ``include``
    or ``exclude``. Raises ``InvalidRequest``, or its ``InvalidPath`` and ``InvalidType``.
    """
    if value is None or isinstance(value, bool | np.bool_):
        return WHOLE if value else None
    if isinstance(value, list | tuple):
        return partial(_included, _tree(value))
    what = "with_payload as a bool, a list of paths, or an include or exclude selector"
    found = members(value, what)
    only(found, _SELECTORS, "a payload selector")
    given = [(kind, paths) for kind, paths in found.items() if paths is not None]
    if len(given) != 1:
        raise InvalidRequest(f"expected {what}, got {describe(value)}")
    kind, paths = given[0]
    return partial(_included if kind == "include" else _excluded, _tree(paths))


def _tree(paths: object) -> _Tree:
    if not isinstance(paths, list | tuple):
        raise InvalidType(f"expected a list of payload paths, got {describe(paths)}")
    tree: _Tree = {}
    for path in map(parse_path, paths):
        _plant(tree, path)
    return tree


def _plant(tree: _Tree, path: Path) -> None:
    for step in path[:-1]:
        tree = tree.setdefault(step, {})
        if tree is None:  # a shorter path is its prefix
            return
    tree[path[-1]] = None


def _included(tree: _Tree | None, value: Any) -> Any:
    """The part of ``value`` that lies below a path or on the way to one; a scalar on the way is kept."""
    if tree is None:
        return value
    if isinstance(value, dict):
        return {key: _included(tree[key], item) for key, item in value.items() if key in tree}
    if isinstance(value, list):
        return [_included(tree[ALL], item) for item in value] if ALL in tree else []
    return value


def _excluded(tree: _Tree, value: Any) -> Any:
    """``value`` without what is below the paths."""
    if isinstance(value, dict):
        kept = ((key, item, tree.get(key, {})) for key, item in value.items())
        return {key: _excluded(below, item) for key, item, below in kept if below is not None}
    below = tree.get(ALL, {})
    if isinstance(value, list):
        return [] if below is None else [_excluded(below, item) for item in value]
    return value
