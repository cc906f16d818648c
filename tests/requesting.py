"""What the tests of requests share: two collections, a filter in three spellings, and ways to look inside."""

from __future__ import annotations

from typing import Any

import qdrant_client.models as theirs

from vecstore.conditions import FieldCondition, Filter, MatchValue
from vecstore.filters import parse_filter
from vecstore.ids import key_of
from vecstore.models import Distance, VectorParams

TWO = {"": VectorParams(2, Distance.DOT)}
NAMED = {"image": VectorParams(2, Distance.DOT), "text": VectorParams(3, Distance.COSINE)}
UUID_TEXT = "936da01f-9abd-4d9d-80c7-02af85c822a8"
RED = {"must": [{"key": "color", "match": {"value": "red"}}]}
RED_MODEL = Filter(must=[FieldCondition(key="color", match=MatchValue(value="red"))])
RED_THEIRS = theirs.Filter(must=[theirs.FieldCondition(key="color", match=theirs.MatchValue(value="red"))])
RED_FILTER = parse_filter(RED)


def keys(*ids: Any) -> list[bytes]:
    return [key_of(i) for i in ids]


def rows(columns: Any, name: str = "") -> list[list[float]]:
    return columns[name].matrix.tolist()
