"""What the macros make of the views, and what a browser would see in it."""

from __future__ import annotations

from functools import cache
from html.parser import HTMLParser
from typing import Any

import jinja2

from guardrail.web.show import Conversation, Differences, EditForm, Meanings, Shown
from guardrail.web.templating import environment

TAGS = {
    "a", "bdi", "blockquote", "button", "caption", "code", "dd", "del", "details", "div", "dl", "dt", "fieldset", "input",
    "ins", "label", "legend", "li", "mark", "ol", "option", "p", "rect", "select", "span", "summary", "svg", "table", "tbody",
    "td", "textarea", "th", "thead", "tr", "ul",
}  # fmt: skip
"""All that the macros write."""


@cache
def _template(source: str) -> jinja2.Template:
    return environment().from_string(source)


def html(view: Shown | Differences | Meanings | Conversation | EditForm) -> str:
    """A view as markup, as it goes over the wire."""
    name, macro = {
        Shown: ("_values.html", "value"),
        Differences: ("_values.html", "differences"),
        Meanings: ("_meanings.html", "meanings"),
        Conversation: ("_conversation.html", "conversation"),
        EditForm: ("_form.html", "edit_form"),
    }[type(view)]
    source = f'{{% from "{name}" import {macro} %}}{{{{ {macro}(view) }}}}'
    return _template(source).render(view=view).encode().decode()


class _Seen(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.texts: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.texts.append(data)

    def handle_comment(self, data: str) -> None:
        raise AssertionError(f"a comment: {data}")

    def handle_pi(self, data: str) -> None:
        raise AssertionError(f"an instruction: {data}")

    def unknown_decl(self, data: str) -> None:
        raise AssertionError(f"a declaration: {data}")


def seen(markup: str) -> _Seen:
    """The tags and texts of the markup."""
    parser = _Seen()
    parser.feed(markup)
    parser.close()
    return parser


def check_harmless(markup: str, *, links: tuple[str, ...] = ()) -> None:
    """That nothing in it runs, loads or leads anywhere but to these links."""
    for tag, attributes in seen(markup).tags:
        assert tag in TAGS, tag
        for name, value in attributes.items():
            assert not name.startswith("on"), (tag, name)
            assert name not in ("style", "src", "srcdoc", "action", "formaction", "autofocus"), (tag, name)
            if name in ("href", "data-src"):
                assert (value or "").startswith(links), value


def words(markup: str) -> str:
    """All that is read in it, in one line."""
    return " ".join("".join(seen(markup).texts).split())


def attribute(markup: str, name: str) -> list[Any]:
    """The values of an attribute, wherever it stands."""
    return [given[name] for _, given in seen(markup).tags if name in given]
