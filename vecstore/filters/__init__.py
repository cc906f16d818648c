"""THE QUESTION: filters, parsed from whatever they are written in, and run against points.

    parse_filter      models, REST dicts or objects like them -> one checked tree of vecstore.conditions
    filter_to_json    that tree as plain values, for the log
    compile_filter    that tree as a function of a point
    needs_payload     whether it looks at payloads at all
    parse_datetime    a stored datetime as microseconds
    microseconds_of   so is one of Python, pandas or numpy

A new condition has its words in ``vecstore.conditions``, is read in ``parse`` (a clause of a field condition:
in ``clauses``) and does its work in ``compile`` (a clause: in ``matching``).
"""

from vecstore.filters.compile import Candidate, Predicate, compile_filter
from vecstore.filters.datetimes import microseconds_of, parse_datetime
from vecstore.filters.parse import filter_to_json, parse_filter
from vecstore.filters.scope import needs_payload

__all__ = [
    "Candidate",
    "Predicate",
    "compile_filter",
    "filter_to_json",
    "microseconds_of",
    "needs_payload",
    "parse_datetime",
    "parse_filter",
]
