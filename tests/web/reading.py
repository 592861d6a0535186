"""Pages as a browser reads them: elements, what a person sees of them, and what their forms send."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any

VOID = frozenset({"meta", "link", "input", "br", "hr", "img", "rect", "path", "wbr"})
UNSEEN = frozenset({"script", "style", "template", "title"})


@dataclass(eq=False)
class Element:
    tag: str
    attributes: dict[str, str] = field(default_factory=dict)
    inside: list[Element | str] = field(default_factory=list)
    above: Element | None = None

    def __iter__(self) -> Iterator[Element]:
        """All elements below, in the order of the page."""
        for part in self.inside:
            if isinstance(part, Element):
                yield part
                yield from part

    def all(self, tag: str = "", **attributes: str | None) -> list[Element]:
        """Elements of a tag with these attributes; ``data_go`` stands for ``data-go``, None for any value."""
        wanted = {name.rstrip("_").replace("_", "-"): value for name, value in attributes.items()}
        return [
            one
            for one in self
            if tag in ("", one.tag)
            and all(name in one.attributes and value in (None, one.attributes[name]) for name, value in wanted.items())
        ]

    def one(self, tag: str = "", **attributes: str | None) -> Element:
        found = self.all(tag, **attributes)
        assert len(found) == 1, f"{len(found)} of {tag} {attributes}"
        return found[0]

    def has(self, tag: str = "", **attributes: str | None) -> bool:
        return bool(self.all(tag, **attributes))

    @property
    def raw(self) -> str:
        """The text in it, as it stands."""
        return "".join(part if isinstance(part, str) else part.raw for part in self.inside)

    @property
    def text(self) -> str:
        """The text in it, in one line."""
        return " ".join(_seen(self).split())

    def within(self, tag: str) -> Element | None:
        """The nearest element of that tag that it stands in."""
        above = self.above
        while above is not None and above.tag != tag:
            above = above.above
        return above


def _seen(element: Element) -> str:
    if element.tag in UNSEEN:
        return ""
    return "".join(part if isinstance(part, str) else _seen(part) for part in element.inside)


class _Builder(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.root = Element("document")
        self.at = self.root

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        names = [name for name, _ in attrs]
        assert len(set(names)) == len(names), f"{tag} has an attribute twice: {names}"
        element = Element(tag, {name: value or "" for name, value in attrs}, above=self.at)
        self.at.inside.append(element)
        if tag not in VOID:
            self.at = element

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.handle_endtag(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.at.tag == tag, f"</{tag}> closes <{self.at.tag}>"
        assert self.at.above is not None
        self.at = self.at.above

    def handle_data(self, data: str) -> None:
        self.at.inside.append(data)


def read(text: str) -> Element:
    """The page, every element of it closed and no id twice."""
    builder = _Builder()
    builder.feed(text)
    builder.close()
    assert builder.at is builder.root, f"<{builder.at.tag}> is not closed"
    ids = [one.attributes["id"] for one in builder.root if "id" in one.attributes]
    assert len(set(ids)) == len(ids), [one for one in ids if ids.count(one) > 1]
    return builder.root


def fields(page: Element, form: str, *, press: str = "") -> list[tuple[str, str]]:
    """What a browser sends of the form of that id; ``press`` is the id of the button that is pressed."""
    found: list[tuple[str, str]] = []
    for one in page:
        name = one.attributes.get("name")
        owner = one.attributes.get("form") or (parent.attributes.get("id") if (parent := one.within("form")) else None)
        if not name or owner != form or _disabled(one):
            continue
        kind = one.attributes.get("type", "")
        if one.tag == "input" and (kind not in ("radio", "checkbox") or "checked" in one.attributes):
            found.append((name, one.attributes.get("value", "")))
        elif one.tag == "textarea":
            found.append((name, one.raw.removeprefix("\n")))
        elif one.tag == "select":
            options = one.all("option")
            chosen = [option for option in options if "selected" in option.attributes] or options[:1]
            found += [(name, option.attributes.get("value", option.text)) for option in chosen]
        elif one.tag == "button" and one.attributes.get("id") == press != "":
            found.append((name, one.attributes.get("value", "")))
    return found


def _disabled(one: Element) -> bool:
    if "disabled" in one.attributes:
        return True
    above = one.within("fieldset")
    while above is not None:
        if "disabled" in above.attributes:
            return True
        above = above.within("fieldset")
    return False


def send(client: Any, page: Element, form: str, *, press: str = "", **changes: str | list[str] | None) -> Any:
    """Fill a form in and send it, as a browser does. A change to None leaves the field out."""
    target = page.one("form", id=form)
    assert target.attributes["method"] == "post"
    sent: dict[str, list[str]] = {}
    for name, value in fields(page, form, press=press):
        sent.setdefault(name, []).append(value)
    for name, value in changes.items():
        if value is None:
            sent.pop(name, None)
        else:
            sent[name] = [value] if isinstance(value, str) else value
    return client.post(target.attributes["action"], data=sent)
