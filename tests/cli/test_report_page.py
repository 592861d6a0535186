"""The report's page: nothing in it can act, load or hide, and it opens in a browser as it should."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import shutil
import subprocess
from dataclasses import replace
from functools import cache
from html.parser import HTMLParser
from pathlib import Path

import pytest

from guardrail.cli.report.page import page
from tests.cli.reports import HOSTILE, built

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
WIDTHS = (360, 1200)


class Elements(HTMLParser):
    """All elements and their attributes."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))


@cache
def plain() -> str:
    return page(built())


@cache
def hostile() -> str:
    report = built(HOSTILE)
    tiers = tuple(
        replace(
            one,
            warnings=(*one.warnings, HOSTILE),
            fingerprint={"model": (HOSTILE,)},
            sources={HOSTILE: 3},
            first_at=HOSTILE,
        )
        for one in report.tiers
    )
    return page(replace(report, tiers=tiers, adopted_by=HOSTILE, adopted_at=HOSTILE, settings={HOSTILE: HOSTILE}))


def test_a_hostile_text_is_only_ever_text() -> None:
    html = hostile()
    assert html.count("alert(1)") >= 8
    assert "<script" not in html
    assert "{{ 7 * 7 }}" in html  # it is no template either
    assert {tag for tag, _ in Elements(html).found} == {tag for tag, _ in Elements(plain()).found} | {"mark"}
    handlers = [name for _, attributes in Elements(html).found for name in attributes if name.startswith("on")]
    assert handlers == []


def test_what_cannot_be_seen_is_written_out_and_marked() -> None:
    html = hostile()
    for hidden, shown in (("\u202e", "\\u202e"), ("\u2028", "\\u2028"), ("\x07", "\\x07")):
        assert hidden not in html
        assert f"<mark>{shown}" in html or shown in html
    assert not any(character in html for character in "\u202d\u2066\u2067\u2068\u200b\ufeff")


def test_nothing_is_loaded_and_the_policy_forbids_everything_but_its_own_style() -> None:
    html = plain()
    elements = Elements(html).found
    (policy,) = [one["content"] for tag, one in elements if tag == "meta" and "http-equiv" in one]
    (style,) = re.findall(r"<style>(.*?)</style>", html, flags=re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert policy == (
        f"default-src 'none'; img-src data:; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    )
    assert not {"script", "iframe", "img", "object", "embed", "form"} & {tag for tag, _ in elements}
    targets = [one[name] for _, one in elements for name in ("href", "src", "xlink:href", "data") if name in one]
    assert all(str(one).startswith("#") or one == "data:," for one in targets)
    # the policy would forbid them, and the page would lose its looks
    assert [one for _, one in elements if "style" in one] == []
    assert "url(" not in style
    assert "@import" not in style


def test_names_within_the_page_are_unique_and_each_reference_has_one() -> None:
    elements = Elements(plain()).found
    names = [one["id"] for _, one in elements if "id" in one]
    assert len(set(names)) == len(names)
    html = plain()
    wanted = {*re.findall(r'href="#([^"]+)"', html), *re.findall(r"url\(#([^)]+)\)", html)}
    assert wanted <= set(names)


def test_every_plot_has_a_caption_and_no_colour_of_its_own() -> None:
    html = plain()
    figures = re.findall(r"<figure>(.*?)</figure>", html, flags=re.DOTALL)
    assert len(figures) >= 12
    for one in figures:
        assert re.search(r"<figcaption>[^<]{10,}", one)
        assert not re.search(r"(fill|stroke)=\"#", one)


@pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium here")
class TestInChromium:
    def look(self, tmp_path: Path, html: str) -> tuple[list[tuple[int, ...]], list[str], list[str]]:
        """How wide and high a page is at each of ``WIDTHS``, what the console says, and what the page asked for."""
        inner, outer, net = tmp_path / "report.html", tmp_path / "outer.html", tmp_path / "net.json"
        inner.write_text(html, encoding="utf-8")
        # a frame is exactly as wide as it is told, and the page itself stays as it is
        frames = "".join(f'<iframe src="report.html" width="{width}" height="700"></iframe>' for width in WIDTHS)
        outer.write_text(
            f"<!doctype html><body>{frames}<script>onload = () => {{ document.body.dataset.sizes ="
            '[...document.querySelectorAll("iframe")].map(one => one.contentDocument.documentElement)'
            '.map(one => [one.clientWidth, one.scrollWidth, one.scrollHeight].join(" ")).join(","); };</script>'
        )
        done = subprocess.run(
            [
                str(CHROMIUM),
                "--headless",
                "--no-sandbox",
                "--disable-gpu",
                "--no-first-run",
                "--host-resolver-rules=MAP * ~NOTFOUND",  # the browser itself is to ask nobody either
                "--allow-file-access-from-files",
                "--enable-logging=stderr",
                f"--user-data-dir={tmp_path / 'profile'}",
                f"--log-net-log={net}",
                "--dump-dom",
                outer.as_uri(),
            ],
            capture_output=True,
            text=True,
            timeout=120,
            check=True,
        )
        found = re.search(r'data-sizes="([^"]+)"', done.stdout)
        assert found is not None, done.stdout[-500:]
        sizes = [tuple(map(int, one.split())) for one in found[1].split(",")]
        events = [event.get("params") for event in json.loads(net.read_text("utf-8"))["events"]]
        asked = {
            one["url"]
            for one in events
            # what the browser wants for itself comes from no page
            if isinstance(one, dict) and "url" in one and one.get("initiator", "not an origin") != "not an origin"
        }
        console = [line for line in done.stderr.splitlines() if "CONSOLE" in line]
        return sizes, console, sorted(one for one in asked if not one.startswith(("file:", "data:")))

    @pytest.mark.parametrize("made", ["plain", "hostile"])
    def test_it_opens_quietly_and_fits(self, tmp_path: Path, made: str) -> None:
        sizes, console, asked = self.look(tmp_path, plain() if made == "plain" else hostile())
        for width, (client, scroll, height) in zip(WIDTHS, sizes, strict=True):
            assert width - 20 <= client <= width
            assert scroll <= client
            assert height > 2000
        assert console == []
        assert asked == []

    def test_a_page_that_does_none_of_it_is_found_out(self, tmp_path: Path) -> None:
        """So that the test above can fail."""
        html = plain()
        html = re.sub(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", html)
        bad = '<img src="http://example.invalid/x.png"><script>console.error("no")</script>'
        wide = f"<pre>{'x ' * 999}</pre>"
        sizes, console, asked = self.look(tmp_path, html.replace("</main>", f"{bad}{wide}</main>"))
        assert sizes[0][1] > sizes[0][0]
        assert any("no" in line for line in console)
        assert asked == ["http://example.invalid/x.png"]
