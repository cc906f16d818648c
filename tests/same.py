"""Equality of operations, which hold arrays."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import numpy as np

from vecstore.operations import KINDS, Column, Ids


def same(one: Any, other: Any) -> bool:
    """Equality that knows arrays: values, types and shapes."""
    if type(one) is not type(other):
        return False
    if isinstance(one, np.ndarray):
        return one.dtype == other.dtype and one.shape == other.shape and one.tobytes() == other.tobytes()
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(map(same, one, other))
    if type(one) in KINDS or isinstance(one, Column | Ids):
        return all(same(getattr(one, f.name), getattr(other, f.name)) for f in fields(one))
    return bool(one == other)
