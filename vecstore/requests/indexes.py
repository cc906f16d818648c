"""Requests about payload indexes: make one for a field, delete those of a field.

The schema of a field is the name of a type, a ``PayloadSchemaType``, or an object with the ``type`` and options.
Options that only say how Qdrant is to keep an index change no answer here and are taken; so are those that say
what is the case anyway. Any other value of an option would change answers, and is refused.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import Enum
from typing import Any, TypeAlias

from vecstore.errors import InvalidRequest
from vecstore.models import PayloadSchemaType
from vecstore.operations import CreateIndex, DeleteIndex
from vecstore.paths import format_path, parse_path
from vecstore.requests.bodies import OMITTED, present, required, whole_body
from vecstore.shapes import describe, member_of, only

_Type: TypeAlias = PayloadSchemaType
_Option: TypeAlias = tuple[Callable[[Any], bool], str]

CREATE_BODY = frozenset({"field_name", "field_schema", "field_type"})


def _plain(value: object) -> str | None:
    found = value.value if isinstance(value, Enum) else value
    return found if isinstance(found, str) else None


_BOOL: _Option = (lambda value: isinstance(value, bool), "true or false")
_TRUE: _Option = (lambda value: value is True, "true")
_WORD: _Option = (lambda value: _plain(value) == "word", "'word'")

_KEPT = {"on_disk": _BOOL, "enable_hnsw": _BOOL}
_OPTIONS: Mapping[_Type, Mapping[str, _Option]] = {
    _Type.KEYWORD: {**_KEPT, "is_tenant": _BOOL},
    _Type.INTEGER: {**_KEPT, "is_principal": _BOOL, "lookup": _BOOL, "range": _BOOL},
    _Type.FLOAT: {**_KEPT, "is_principal": _BOOL},
    _Type.BOOL: _KEPT,
    _Type.UUID: {**_KEPT, "is_tenant": _BOOL},
    _Type.DATETIME: {**_KEPT, "is_principal": _BOOL},
    _Type.GEO: _KEPT,
    _Type.TEXT: {**_KEPT, "lowercase": _TRUE, "phrase_matching": _BOOL, "tokenizer": _WORD},
}


def parse_create_index(field_name: object, field_schema: object = OMITTED) -> CreateIndex:
    """A payload path and the schema of its index, or a body with both. Raises ``InvalidRequest``."""
    if field_schema is OMITTED:
        what = "the body of create_payload_index"
        found = whole_body(field_name, what, CREATE_BODY, "a field_schema (keyword, integer, ...)")
        field_schema = found.get("field_schema", found.get("field_type"))
        field_name = required(found, "field_name", what)
    return CreateIndex(format_path(parse_path(field_name)), _parse_schema(field_schema))


def parse_delete_index(field_name: object) -> DeleteIndex:
    """A payload path. Raises ``InvalidPath``."""
    return DeleteIndex(format_path(parse_path(field_name)))


def _parse_schema(schema: object) -> PayloadSchemaType:
    if schema is None or isinstance(schema, str | Enum):
        return _parse_type(schema)
    found = present(schema, "the schema of a payload index")
    wanted = _parse_type(required(found, "type", "the schema of a payload index"))
    options = _OPTIONS[wanted]
    only(found, frozenset({"type", *options}), f"a payload index of type {wanted.value}")
    for name, (is_fine, expected) in options.items():
        if name in found and not is_fine(found[name]):
            raise InvalidRequest(f"expected {name} of a payload index as {expected}, got {describe(found[name])}")
    return wanted


def _parse_type(value: object) -> PayloadSchemaType:
    found = member_of(PayloadSchemaType, value)
    if found is None:
        names = ", ".join(kind.value for kind in PayloadSchemaType)
        raise InvalidRequest(f"expected the type of a payload index ({names}), got {describe(value)}")
    return found
