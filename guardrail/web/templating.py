"""Templates: everything that goes into one is escaped, and what cannot be seen is made visible."""

from __future__ import annotations

from functools import cache
from typing import Any, Final
from urllib.parse import quote

import jinja2
from starlette.requests import Request
from starlette.responses import HTMLResponse

from guardrail.markup import shown
from guardrail.visible import plain
from guardrail.web.house import house

THEME: Final = "theme"
"""The cookie that remembers which look was chosen."""
THEMES: Final = ("light", "dark")


@cache
def environment() -> jinja2.Environment:
    """The one environment: an undefined name is an error, and there is no way around the escaper. The filter ``plain``
    is for places where nothing can be marked, such as titles: what is hidden is written out there. ``part`` is
    for parts of an address, and ``clip`` for what only names something and may be as long as somebody made it.
    """
    made = jinja2.Environment(
        loader=jinja2.PackageLoader("guardrail.web", "templates"),
        autoescape=True,
        finalize=shown,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters["plain"] = plain
    made.filters["part"] = _part
    made.filters["clip"] = _clip
    return made


def _clip(text: str, limit: int = 200) -> str:
    """The beginning of a text that only names something, and how long it is where that is not all."""
    return text if len(text) <= limit else f"{text[:limit]}… ({len(text):,} characters)"


def _part(text: str) -> str:
    """A text as a part of an address."""
    return quote(text, safe="", errors="replace")


def page(request: Request, name: str, /, *, status: int = 200, **values: Any) -> HTMLResponse:
    """A template of ``templates/`` filled in. It also knows ``who`` (or None), ``csrf``, ``settings``, ``here`` (the
    path), ``status``, and ``theme``: the look that this browser chose (light, dark, or empty: as its system has it).
    """
    theme = request.cookies.get(THEME, "")
    text = (
        environment()
        .get_template(name)
        .render(
            who=getattr(request.state, "principal", None),
            csrf=getattr(request.state, "csrf", ""),
            settings=house(request).settings,
            here=request.url.path,
            status=status,
            theme=theme if theme in THEMES else "",
            **values,
        )
    )
    return HTMLResponse(text.encode("utf-8", "replace"), status_code=status)
