"""The report as one HTML page: no script, no network, nothing that a text in it could turn into markup."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterable
from importlib.resources import files
from typing import Any, Final

from guardrail.cli.report import pictures, words
from guardrail.cli.report.content import Report, TierPart
from guardrail.errors import MissingExtra

_PERCENT: Final = re.compile(r"(?<=\d) (?=%)")


def page(report: Report) -> str:
    """The page; the same report gives the same bytes.

    Raises:
        MissingExtra: the packages of the extra ``report`` are not installed.
    """
    try:
        import jinja2
        import markupsafe

        from guardrail import markup
    except ImportError as error:
        raise MissingExtra("writing the report's page", "report") from error

    def shown(value: Any) -> Any:
        """Every value on its way into the page: escaped, with what cannot be seen marked and written out.

        The mark has neither quotes nor a space, so that it closes no attribute either.
        """
        if not isinstance(value, str) or hasattr(value, "__html__"):
            return value
        # a number and its sign stay on one line
        return markupsafe.Markup(_PERCENT.sub("&nbsp;", markup.shown(value)))  # noqa: S704 (escaped)

    here = files("guardrail.cli.report")
    style = here.joinpath("page.css").read_text("utf-8")
    environment = jinja2.Environment(
        autoescape=True,
        finalize=shown,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters.update(percent=words.percent, confidence=words.confidence, amount=words.amount, risk=words.risk)
    template = environment.from_string(here.joinpath("page.html").read_text("utf-8"))
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    drawn = {name: markupsafe.Markup(svg) for name, svg in _drawn(report.tiers)}  # noqa: S704 (ours, from numbers alone)
    text: str = template.render(
        report=report,
        pictures=drawn,
        sources=words.SOURCES,
        style=markupsafe.Markup(style),  # noqa: S704 (ours)
        digest=markupsafe.Markup(digest),  # noqa: S704 (base64)
    )
    return text


def _drawn(tiers: Iterable[TierPart]) -> Iterable[tuple[str, str]]:
    for tier in tiers:
        for number, part in enumerate(tier.parts):
            name = f"{tier.tier.value}-{number}"
            if part.curve:
                yield f"{name}-curve", pictures.risk_coverage(part, f"{name}-curve")
            if part.after is not None and part.after.bins:
                yield f"{name}-bins", pictures.reliability(part.before, part.after, f"{name}-bins")
            if part.costs is not None:
                yield f"{name}-costs", pictures.costs(part.costs, f"{name}-costs")
