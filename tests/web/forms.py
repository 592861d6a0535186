"""What a browser without scripts makes of a form: its controls as they are sent when a button is pressed."""

from __future__ import annotations

from collections.abc import Mapping
from html.parser import HTMLParser

Pairs = list[tuple[str, str]]


class _Controls(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.pairs: Pairs = []
        self.buttons: list[tuple[str, str]] = []
        self._area: str | None = None
        self._text = ""
        self._select: tuple[str, list[tuple[str, bool]]] | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        name = given.get("name") or ""
        if tag == "button":
            self.buttons.append((name, given.get("value") or ""))
        elif tag == "textarea":
            self._area, self._text = name, ""
        elif tag == "select":
            self._select = (name, [])
        elif tag == "option" and self._select:
            self._select[1].append((given.get("value") or "", "selected" in given))
        elif tag == "input" and name:
            kind = given.get("type", "text")
            if kind != "checkbox" or "checked" in given:
                self.pairs.append(
                    (name, (given.get("value") or "").replace("\n", "") if kind == "text" else given.get("value") or "")
                )

    def handle_data(self, data: str) -> None:
        self._text += data

    def handle_endtag(self, tag: str) -> None:
        if tag == "textarea" and self._area is not None:
            self.pairs.append((self._area, self._text.removeprefix("\n")))
            self._area = None
        elif tag == "select" and self._select is not None:
            name, options = self._select
            chosen = [value for value, selected in options if selected] or [value for value, _ in options[:1]]
            self.pairs.append((name, chosen[-1]))
            self._select = None


def controls(html: str) -> Pairs:
    """The controls of a page, in their order."""
    return _parsed(html).pairs


def buttons(html: str) -> list[tuple[str, str]]:
    """Name and value of each button."""
    return _parsed(html).buttons


def submitted(html: str, *, do: str = "edit", changed: Mapping[str, str | None] | None = None) -> Pairs:
    """What is sent when the button is pressed: with some controls changed, or (None) not sent, such as a box that is
    not ticked. Line breaks are as browsers send them.
    """
    changed = dict(changed or {})
    pairs = [(name, changed.pop(name, value)) for name, value in controls(html)]
    pairs += list(changed.items())
    sent = [(name, value) for name, value in pairs if value is not None]
    return [(name, as_sent(value)) for name, value in sent] + [("do", do)]


def as_sent(value: str) -> str:
    """A text as browsers send it: whatever ends a line, it is a CR and a LF."""
    return value.replace("\r\n", "\n").replace("\r", "\n").replace("\n", "\r\n")


def _parsed(html: str) -> _Controls:
    parser = _Controls()
    parser.feed(html)
    parser.close()
    return parser
