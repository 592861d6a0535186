"""Dates and times in the forms that models write, as ISO 8601. What is ambiguous stays text."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta

MONTHS = {
    name: number
    for number, names in enumerate(
        (
            "january jan",
            "february feb",
            "march mar",
            "april apr",
            "may",
            "june jun",
            "july jul",
            "august aug",
            "september sep sept",
            "october oct",
            "november nov",
            "december dec",
        ),
        start=1,
    )
    for name in names.split()
}
_MONTH = "|".join(sorted(MONTHS, key=len, reverse=True))
_DAY = r"(?P<day>\d{1,2})(?:st|nd|rd|th)?"
_YEAR = r"(?P<year>\d{4})"
_MONTH_FIRST = re.compile(rf"(?P<month>{_MONTH})\.?\s+{_DAY},?\s+{_YEAR}", re.IGNORECASE)
_DAY_FIRST = re.compile(rf"{_DAY}\s+(?:of\s+)?(?P<month>{_MONTH})\.?,?\s+{_YEAR}", re.IGNORECASE)
_MONTH_DAY = re.compile(rf"(?P<month>{_MONTH})\.?\s+{_DAY}", re.IGNORECASE)
_DAY_MONTH = re.compile(rf"{_DAY}\s+(?:of\s+)?(?P<month>{_MONTH})\.?", re.IGNORECASE)
_MONTH_ONLY = re.compile(rf"(?P<month>{_MONTH})\.?,?\s+{_YEAR}", re.IGNORECASE)
_YEAR_FIRST = re.compile(r"(\d{4})([-/.])(\d{1,2})\2(\d{1,2})", re.ASCII)
_YEAR_LAST = re.compile(r"(\d{1,2})([-/.])(\d{1,2})\2(\d{4})", re.ASCII)
_YEAR_MONTH = re.compile(r"(\d{4})[-/](\d{1,2})|(\d{1,2})[-/](\d{4})", re.ASCII)
_CLOCK = re.compile(
    r"(?P<hour>\d{1,2})(?::(?P<minute>\d{2}))?(?::(?P<second>\d{2}))?\s*(?P<half>[ap])\.?m\.?"
    r"|(?P<hour24>\d{1,2}):(?P<minute24>\d{2})(?::(?P<second24>\d{2}))?",
    re.IGNORECASE | re.ASCII,
)
_DECLARED = re.compile(r"\b(Y{2,4}|M{1,2}|D{1,2})[-/. ](M{1,3}|D{1,2})[-/. ](Y{2,4}|M{1,2}|D{1,2})\b", re.IGNORECASE)
_IN_TEXT = re.compile(rf"\b\d{{4}}-\d{{1,2}}-\d{{1,2}}\b|\b(?:{_MONTH_FIRST.pattern})\b", re.IGNORECASE)
_IN_TEXT_DAY_FIRST = re.compile(rf"\b{_DAY_FIRST.pattern}\b", re.IGNORECASE)
_LONGEST = 40
_DAYS_AWAY = {"today": 0, "tomorrow": 1, "yesterday": -1, "day after tomorrow": 2, "the day after tomorrow": 2}
_AWAY = re.compile(r"in (?P<ahead>\d{1,4}) (?:days?|weeks?)|(?P<ago>\d{1,4}) (?:days?|weeks?) ago", re.ASCII)


def declared_order(description: str) -> str:
    """The order of day, month and year that a description asks for ("mdy", "dmy", "ymd"), or ""."""
    found = {"".join(part[0].lower() for part in match.groups()) for match in _DECLARED.finditer(description)}
    orders = [order for order in found if sorted(order) == ["d", "m", "y"]]
    return orders[0] if len(orders) == 1 else ""


def read_moment(text: str, order: str = "") -> str | None:
    """The date, month, time of day or moment that a text writes, in ISO form; None where it is not plain.

    ``order`` settles which of 03/04/2024 is the month; without it only dates that read the same in
    every order are understood. A moment with an offset is given in UTC.
    """
    text = text.strip()
    if not text or len(text) > _LONGEST:
        return None
    return _calendar(text, order) or _clock(text) or _moment(text, order)


def readings(text: str, order: str = "", now: str = "") -> frozenset[str]:
    """Every date, time or moment that a text may write, in ISO form.

    More than one where day and month may be exchanged; none where it is not plain. "tomorrow" and its
    like are read only against ``now``, a date in ISO form.
    """
    moment = read_moment(text, order)
    if moment is not None:
        return frozenset((moment,))
    text = text.strip()
    if match := _YEAR_LAST.fullmatch(text):
        first, second, year = int(match[1]), int(match[3]), int(match[4])
        return frozenset(day for day in (_day(year, first, second), _day(year, second, first)) if day)
    day = _relative(text.casefold(), now) if now else None
    return frozenset((day,)) if day else frozenset()


def _relative(text: str, now: str) -> str | None:
    try:
        today = date.fromisoformat(now[:10])
        if text in _DAYS_AWAY:
            return (today + timedelta(days=_DAYS_AWAY[text])).isoformat()
        match = _AWAY.fullmatch(text)
        if match is None:
            return None
        days = int(match["ahead"] or match["ago"]) * (7 if "week" in text else 1)
        return (today + timedelta(days=days if match["ahead"] else -days)).isoformat()
    except (ValueError, OverflowError):
        return None


def with_plain_dates(text: str) -> str:
    """The text with the dates inside it that can be read in one way only written in ISO form."""

    def plain(match: re.Match[str]) -> str:
        return _calendar(match[0], "") or match[0]

    return _IN_TEXT_DAY_FIRST.sub(plain, _IN_TEXT.sub(plain, text))


def _calendar(text: str, order: str) -> str | None:
    if match := _YEAR_FIRST.fullmatch(text):
        year, first, second = int(match[1]), int(match[3]), int(match[4])
        return _day(year, second, first) if order == "ydm" else _day(year, first, second)
    if match := _YEAR_LAST.fullmatch(text):
        return _year_last(int(match[1]), int(match[3]), int(match[4]), order)
    for form in (_MONTH_FIRST, _DAY_FIRST):
        if match := form.fullmatch(text):
            return _day(int(match["year"]), MONTHS[match["month"].lower()], int(match["day"]))
    return _incomplete(text)


def _incomplete(text: str) -> str | None:
    """A month of a year, or a day of any year (ISO 8601:2000 writes it --05-31)."""
    if match := _MONTH_ONLY.fullmatch(text):
        return f"{match['year']}-{MONTHS[match['month'].lower()]:02}"
    if match := _YEAR_MONTH.fullmatch(text):
        written, month = (match[1], int(match[2])) if match[1] else (match[4], int(match[3]))
        return f"{written}-{month:02}" if 1 <= month <= 12 else None
    for form in (_MONTH_DAY, _DAY_MONTH):
        if match := form.fullmatch(text):
            leap = _day(2000, MONTHS[match["month"].lower()], int(match["day"]))
            return leap and f"--{leap[5:]}"
    return None


def _year_last(first: int, second: int, year: int, order: str) -> str | None:
    readings = {"mdy": _day(year, first, second), "dmy": _day(year, second, first)}
    declared = readings.get(order)
    if declared is not None:
        return declared
    possible = {reading for reading in readings.values() if reading is not None}
    return possible.pop() if len(possible) == 1 else None


def _day(year: int, month: int, day: int) -> str | None:
    try:
        return date(year, month, day).isoformat()
    except ValueError:
        return None


def _clock(text: str) -> str | None:
    match = _CLOCK.fullmatch(text)
    if match is None:
        return None
    if match["half"]:
        hour, minute, second = int(match["hour"]), int(match["minute"] or 0), int(match["second"] or 0)
        if not 1 <= hour <= 12:
            return None
        hour = hour % 12 + (12 if match["half"].lower() == "p" else 0)
    else:
        hour, minute, second = int(match["hour24"]), int(match["minute24"]), int(match["second24"] or 0)
    if hour > 23 or minute > 59 or second > 59:
        return None
    return f"T{hour:02}:{minute:02}:{second:02}"


def _moment(text: str, order: str) -> str | None:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        day, _, rest = text.partition(" ")
        calendar, clock = _calendar(day, order), _clock(rest.strip())
        return calendar + clock if calendar and clock else None
    if moment.tzinfo is not None:
        return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")
    return moment.isoformat() if len(text) > len("2024-01-01") else None
