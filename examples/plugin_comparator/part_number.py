"""A comparator in one file: part numbers such as AB-0012, which people and models also write ab12 or AB 12."""

from __future__ import annotations

import re

from guardrail.clustering import About

_NUMBER = re.compile(r"\s*([a-z]{2})[\s-]?0*(\d{1,6})\s*", re.IGNORECASE | re.ASCII)


class PartNumber:
    """Two letters and a number; case, dashes and zeros in front do not count."""

    version = "1"  # change it whenever two values could be compared otherwise

    def settle(self, a: str, b: str, about: About) -> bool | None:
        """Whether both are the same part; None: one of them is no part number, and then they are different."""
        del about  # the argument's name and description, for comparators that depend on it
        one, other = _NUMBER.fullmatch(a), _NUMBER.fullmatch(b)
        if one is None or other is None:
            return None
        return [part.casefold() for part in one.groups()] == [part.casefold() for part in other.groups()]
