"""What people send by forms, and where a form may lead back to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends
from starlette.requests import Request


@dataclass(frozen=True, kw_only=True)
class Typed:
    """The fields of a form, texts only, as they came."""

    pairs: tuple[tuple[str, str], ...] = ()

    def get(self, name: str, default: str = "") -> str:
        """The last value of that name, as it was typed."""
        return next((value for key, value in reversed(self.pairs) if key == name), default)

    def text(self, name: str) -> str:
        """The last value of that name, its line ends as this package writes them, without space around it."""
        return self.get(name).replace("\r\n", "\n").strip()

    def all(self, name: str) -> list[str]:
        """Every value of that name."""
        return [value for key, value in self.pairs if key == name]

    @property
    def looks(self) -> bool:
        """Whether it only asks to see the page again: it was Enter in a field that sent it, and no button."""
        return self.get("do") == "look"


async def _typed(request: Request) -> Typed:
    form = await request.form()
    return Typed(pairs=tuple((name, value) for name, value in form.multi_items() if isinstance(value, str)))


Form = Annotated[Typed, Depends(_typed)]
"""A route's form."""


def local_path(text: str) -> str:
    """A path of this server to go to; the start, where the text is none. No other server, and no line of a header."""
    if not text.startswith("/") or text[1:2] in ("/", "\\") or not text.isprintable() or not text.isascii():
        return "/"
    return text
