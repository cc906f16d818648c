"""Datetimes as filters and orders know them: integer microseconds since 1970, in UTC.

    YYYY-MM-DD
    YYYY-MM-DDTHH:MM
    YYYY-MM-DDTHH:MM:SS[.fraction][offset]      offset: Z, z, UTC, +05, +0500, +05:00; none is UTC

The T may be a t or spaces, a number may lack its leading zero, and spaces may stand at the front and before
the offset. A fraction is cut to microseconds; second 60 is the first of the next minute. The years are 1 to
9999.

Source: Qdrant's ``DateTimePayloadType``.
"""

from __future__ import annotations

import re
from datetime import date, datetime, timedelta, timezone
from typing import Final

import numpy as np

from vecstore.json_values import moment_of

_DATETIME = re.compile(
    r"""\s*([0-9]{4})-([0-9]{1,2})-([0-9]{1,2})
        (?:(?:[Tt]|\s+)([0-9]{1,2}):([0-9]{1,2})
            (?::([0-9]{1,2})(?:\.([0-9]+))?
                (?:\s*(?:[Zz]|UTC|([+-])([0-9]{2})(?::?([0-9]{2}))?))?
            )?
        )?""",
    re.VERBOSE | re.ASCII,
)
_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
_EPOCH_DAY = _EPOCH.toordinal()
_MICROSECOND = timedelta(microseconds=1)

EARLIEST: Final = (datetime.min.replace(tzinfo=timezone.utc) - _EPOCH) // _MICROSECOND
LATEST: Final = (datetime.max.replace(tzinfo=timezone.utc) - _EPOCH) // _MICROSECOND


def parse_datetime(text: str) -> int | None:
    """The microseconds since 1970 that ``text`` stands for, or None where it is no datetime."""
    found = _DATETIME.fullmatch(text)
    if found is None:
        return None
    year, month, day, hour, minute, second, fraction, sign, hours, minutes = found.groups("0")
    try:
        days = date(int(year), int(month), int(day)).toordinal() - _EPOCH_DAY
    except ValueError:
        return None
    time = _seconds(int(hour), int(minute), int(second), most_seconds=60)
    offset = _seconds(int(hours), int(minutes), 0)
    if time is None or offset is None:
        return None
    seconds = days * 86_400 + time + (offset if sign == "-" else -offset)
    return within_years(seconds * 1_000_000 + int(fraction[:6].ljust(6, "0")))


def _seconds(hours: int, minutes: int, seconds: int, most_seconds: int = 59) -> int | None:
    if hours > 23 or minutes > 59 or seconds > most_seconds:
        return None
    return (hours * 60 + minutes) * 60 + seconds


def within_years(microseconds: int) -> int | None:
    """``microseconds`` if they fall into the years 1 to 9999 of UTC, else None."""
    return microseconds if EARLIEST <= microseconds <= LATEST else None


def microseconds_of(moment: date | np.datetime64) -> int | None:
    """The microseconds since 1970 of a datetime or date, in UTC where it has no time zone.

    None outside of the years 1 to 9999 of UTC, and for the datetime of pandas that is none.
    """
    if isinstance(moment, np.datetime64):
        found = moment_of(moment)
        return None if found is None else microseconds_of(found)
    if moment != moment:
        return None
    if not isinstance(moment, datetime):
        return (moment.toordinal() - _EPOCH_DAY) * 86_400 * 1_000_000
    if moment.utcoffset() is None:
        moment = moment.replace(tzinfo=timezone.utc)
    return within_years((moment - _EPOCH) // _MICROSECOND)


def format_datetime(microseconds: int) -> str:
    """Microseconds as RFC 3339 text: the inverse of ``parse_datetime``."""
    moment = _EPOCH + timedelta(microseconds=microseconds)
    return moment.isoformat(timespec="microseconds").replace("+00:00", "Z")
