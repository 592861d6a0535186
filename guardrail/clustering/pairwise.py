"""What structure says about pairs of calls, found out once a pair."""

from __future__ import annotations

from guardrail.clustering.canonical import CanonicalCall
from guardrail.clustering.equality import Difference, differences, open_pairs
from guardrail.clustering.hinges import Hinges, Same, known


class Pairwise:
    """Remembers, by the form of two calls, on what their equality hinges and where they differ."""

    def __init__(self) -> None:
        self._open: dict[tuple[str, str], Hinges] = {}
        self._differences: dict[tuple[str, str], tuple[Difference, ...]] = {}

    def hinges(self, a: CanonicalCall, b: CanonicalCall) -> Hinges:
        """The texts on which alone the equality of two calls hinges."""
        if a.form == b.form:
            return ()
        key = (a.form, b.form) if a.form <= b.form else (b.form, a.form)
        if key not in self._open:
            self._open[key] = open_pairs(a, b)
        return self._open[key]

    def known(self, a: CanonicalCall, b: CanonicalCall, same: Same) -> bool | None:
        """Whether two calls mean the same; None where that hinges on a pair without an answer."""
        return known(self.hinges(a, b), same)

    def equal(self, a: CanonicalCall, b: CanonicalCall, same: Same) -> bool:
        """Whether two calls mean the same; texts nobody judged do not."""
        return self.known(a, b, same) is True

    def differences(self, a: CanonicalCall, b: CanonicalCall) -> tuple[Difference, ...]:
        """The places in which two calls differ."""
        if (a.form, b.form) not in self._differences:
            self._differences[a.form, b.form] = differences(a, b)
        return self._differences[a.form, b.form]
