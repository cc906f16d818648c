"""THE REQUEST: from what a user passes to a frozen operation, or to an error that says what is wrong with it.

Each call has one parser. All of them read a model of ours, the same-shaped dict of Qdrant's REST API and any
object with these attributes alike, in parts (``points``, ``filter``, ...) and as the whole body of a request,
today's and the first generation's. What they return is checked and copied: nothing of it is the caller's any
more. What they raise is an ``InvalidRequest`` of some kind, before anything has happened.

    bodies       the fields of a body, its wrapper, what was left out
    selectors    ids or a filter
    columns      vectors, row by row or side by side -> matrices
    points       upsert, update_vectors, delete_vectors, delete
    payloads     set, overwrite, delete and clear payload
    batch        several operations
    indexes      create and delete payload indexes
    reads        what to find, in which order, how many, and what of it to return
    read_bodies  whole bodies of reads
"""

from vecstore.requests.batch import parse_batch
from vecstore.requests.bodies import OMITTED
from vecstore.requests.indexes import parse_create_index, parse_delete_index
from vecstore.requests.payloads import (
    parse_clear_payload,
    parse_delete_payload,
    parse_overwrite_payload,
    parse_set_payload,
)
from vecstore.requests.points import parse_delete, parse_delete_vectors, parse_update_vectors, parse_upsert
from vecstore.requests.selectors import parse_ids, parse_selector

__all__ = [
    "OMITTED",
    "parse_batch",
    "parse_clear_payload",
    "parse_create_index",
    "parse_delete",
    "parse_delete_index",
    "parse_delete_payload",
    "parse_delete_vectors",
    "parse_ids",
    "parse_overwrite_payload",
    "parse_selector",
    "parse_set_payload",
    "parse_update_vectors",
    "parse_upsert",
]
