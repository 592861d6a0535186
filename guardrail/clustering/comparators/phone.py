"""Telephone numbers: international ones by E.164, others by their digits."""

from __future__ import annotations

import re

from guardrail.clustering.comparators.about import About
from guardrail.clustering.comparators.libraries import MissingLibraryError, needed

_WRITTEN = re.compile(r"(?:tel:)?[+\d(][\d\s().\-/]*\d(?:\s*(?:x|ext\.?|;ext=)\s*\d{1,7})?", re.IGNORECASE | re.ASCII)
_LONGEST = 40


def settle(a: str, b: str, about: About) -> bool | None:  # noqa: ARG001 - comparators share one signature
    """Whether two numbers reach the same telephone; None where one is no number."""
    one, other = _reading(a.strip()), _reading(b.strip())
    return one == other if one and other else None


def _reading(text: str) -> str:
    if len(text) > _LONGEST or not _WRITTEN.fullmatch(text):
        return ""
    if "+" in text:
        return _international(text)
    number, *extension = re.split(r"[xe;]", text.casefold().removeprefix("tel:"), maxsplit=1)
    digits = re.sub(r"\D", "", number)
    return digits + "".join(f" ext {re.sub(r'[^0-9]', '', one)}" for one in extension)


def _international(text: str) -> str:
    try:
        phonenumbers = needed("phonenumbers")
        parsed = phonenumbers.parse(text, None)
    except MissingLibraryError:
        return text
    except Exception:  # noqa: BLE001 - its exception class is only known where it is installed
        return ""
    written: str = phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.RFC3966)
    return written
