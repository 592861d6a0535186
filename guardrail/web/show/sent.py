"""What a browser sent: every control once, and nothing left over that nobody read."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

MOST: Final = 5_000
"""Controls that a form may have."""


class Sent:
    """The controls of a form by name, as text with line breaks as they were before the browser changed them."""

    def __init__(self, pairs: Iterable[tuple[str, object]]) -> None:
        self.errors: list[str] = []
        self.do = ""
        self._controls: dict[str, str] = {}
        self._read: set[str] = set()
        self._skipped: list[str] = []
        for name, value in pairs:
            if name == "do" and isinstance(value, str):
                self.do = value
            elif name == "f" or name.startswith(("f.", "f:")):
                self._take(name, value)
        if len(self._controls) > MOST:
            self.errors = [f"the form has {len(self._controls):,} fields, the limit is {MOST:,}"]
            self._controls = {}

    def _take(self, name: str, value: object) -> None:
        if not isinstance(value, str):
            self.errors.append("a file was sent in place of a text")
        elif name in self._controls:
            self.errors.append("a field was sent twice")
        else:
            self._controls[name] = value.replace("\r\n", "\n").replace("\r", "\n")

    def text(self, name: str) -> str | None:
        """What was sent for this control, or None."""
        self._read.add(name)
        return self._controls.get(name)

    def skip(self, prefix: str) -> None:
        """What begins so belongs to what was taken out, and is not read."""
        self._skipped.append(prefix)

    def unread(self) -> bool:
        """Whether something was sent that nobody read."""
        left = self._controls.keys() - self._read
        return any(not name.startswith(tuple(self._skipped)) for name in left) if self._skipped else bool(left)
