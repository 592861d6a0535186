"""Pages full of hostile texts, and somebody who watches what a page does with them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from playwright.sync_api import Page, Request

from guardrail.types import Review, ToolCall, ToolSpec, Turn
from guardrail.visible import hides
from tests.support.hostile import SCRIPTS, TEXTS
from tests.web.browser.conftest import Person
from tests.web.entrance import Entrance

TAME = "words and nothing else"
SHORT = {name: text.replace("\ud83d", "") for name, text in SCRIPTS.items()}
"""Without half a character, which no store keeps."""
SEEN = {name: text for name, text in TEXTS.items() if 0 < len(text) < 3_500 and "surrogate" not in name} | SHORT
WORD = "W" * 3_000

_BEFORE = """
window.hacked = [];
for (const name of ["alert", "confirm", "prompt", "open", "print"]) window[name] = () => { window.hacked.push(name); };
document.addEventListener("securitypolicyviolation", (event) => {
  window.hacked.push(`${event.violatedDirective} ${event.blockedURI} ${event.sample}`);
});
"""
_BROUGHT = """
() => [...document.querySelectorAll("*")].flatMap((one) => one.getAttributeNames()
  .filter((name) => name.startsWith("on") || ["style", "srcdoc", "formaction", "autofocus", "ping"].includes(name))
  .map((name) => `${one.tagName} ${name}`))
"""
_INSIDE = (
    ":is(.untrusted, bdi, mark, .text, li[data-comment] > div + div, #why-text)"
    " :is(a:not(details.fold > .inside > p > a), button, input, select, textarea, form, img, script, style, iframe, svg)"
)
_TAGS = "() => [...document.querySelectorAll('*')].map((one) => one.tagName.toLowerCase())"
_WORDS = """
() => [
  document.title,
  ...[...document.querySelectorAll("body *")].flatMap((one) => [
    ...[...one.childNodes].filter((node) => node.nodeType === Node.TEXT_NODE).map((node) => node.data),
    ...["title", "aria-label", "alt", "placeholder", "aria-description"].map((name) => one.getAttribute(name) ?? ""),
  ]),
]
"""
# A space at the end of a line hangs over its edge.
_SQUEEZED = """
() => { const space = 12; return [...document.querySelectorAll("main :is(bdi, .scalar, mark, code, dd, td, li, h1, p)")].filter((one) => {
  if (!one.textContent.trim() || !one.checkVisibility() || one.closest(".hide")) return false;
  const box = one.getBoundingClientRect();
  if (box.width < 4 || box.height < 4) return true;
  for (let around = one.parentElement; around; around = around.parentElement) {
    const style = getComputedStyle(around), edge = around.getBoundingClientRect();
    if (style.overflowX === "auto" || style.overflowX === "scroll") return false;
    if (style.overflowX !== "visible" && (edge.width < 24 || box.right > edge.right + space || box.left < edge.left - space)) return true;
  }
  return false;
}).map((one) => `${one.tagName} ${one.className}: ${one.textContent.trim().slice(0, 40)}`); }
"""
# Boxes of texts, as far as they are not cut off, that lie on one another. What is fixed to the screen lies on all.
_OVERLAPS = """
() => {
  const boxes = [];
  const walker = document.createTreeWalker(document.querySelector("main"), NodeFilter.SHOW_TEXT);
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    const parent = node.parentElement;
    if (!node.data.trim() || !parent.checkVisibility() || parent.closest(".hide, option, textarea")) continue;
    let clip = { left: -1e9, right: 1e9, top: -1e9, bottom: 1e9 }, stands = true;
    for (let around = parent; around; around = around.parentElement) {
      const style = getComputedStyle(around), edge = around.getBoundingClientRect();
      if (style.position === "fixed" || style.position === "sticky") stands = false;
      if (style.overflowX !== "visible" && around !== document.documentElement && around !== document.body) clip = {
        left: Math.max(clip.left, edge.left), right: Math.min(clip.right, edge.right),
        top: Math.max(clip.top, edge.top), bottom: Math.min(clip.bottom, edge.bottom),
      };
    }
    if (!stands) continue;
    const range = document.createRange();
    range.selectNodeContents(node);
    for (const box of range.getClientRects()) {
      const seen = {
        left: Math.max(box.left, clip.left) + 1, right: Math.min(box.right, clip.right) - 1,
        top: Math.max(box.top, clip.top) + 4, bottom: Math.min(box.bottom, clip.bottom) - 4, node,
      };
      if (seen.left < seen.right && seen.top < seen.bottom) boxes.push(seen);
    }
  }
  boxes.sort((one, other) => one.top - other.top);
  const found = new Set();
  boxes.forEach((one, index) => {
    for (let next = index + 1; next < boxes.length && boxes[next].top < one.bottom; next++) {
      const other = boxes[next];
      if (one.node !== other.node && one.left < other.right && other.left < one.right)
        found.add(`${one.node.data.trim().slice(0, 30)} | ${other.node.data.trim().slice(0, 30)}`);
    }
  });
  return [...found];
}
"""


def poisoned(
    site: Entrance, text: str, *, arguments: dict[str, Any] | None = None, talk: Sequence[Turn] = (), **more: Any
) -> Review:
    """A review in which everything that can be is the text, also what was said about it. ``more`` are its fields."""
    site.steps += 1
    base = site.ask()
    record = site.record(base)
    given = {"to": text, text: {text: [text, text]}} if arguments is None else arguments
    call = ToolCall(name=text, arguments=given, id="c1")
    other = replace(call, arguments={**given, "to": f"{text} more"})
    verdict = record.verdict.verdicts[0]
    clusters = (
        *(replace(one, call=call if one.planned else other, text=text, differs=(text,)) for one in verdict.clusters),
        replace(verdict.clusters[0], planned=False, text=text, call=None),
    )
    verdict = replace(verdict, call=call, why=text, rule=text, clusters=clusters)
    sibling = replace(verdict, call=replace(call, id="c2"))
    record = replace(
        record,
        id=f"poisoned-{site.steps}",
        thread_id=text,
        model=text,
        verdict=replace(record.verdict, verdicts=(verdict, sibling), extra={text: 3}),
        planned=replace(record.planned, text=text, calls=(call, sibling.call)),
        tools=(ToolSpec(name=text, description=text, parameters={"properties": {text: {"title": text}}}),),
        conversation=tuple(talk) or tuple(Turn(role=role, text=text) for role in (text, "user", "tool")),
    )
    site.store.add_record(record)
    review = replace(
        base, id=f"{site.steps:064x}", record_id=record.id, call=call, thread_id=text, why=text, rule=text,
        requester=text, **more,
    )  # fmt: skip
    site.queue.reject(base.id, by="ben", message=text)
    review = site.queue.open(review)
    return site.queue.comment(review.id, by="ben", text=text) if text.strip() else review


@dataclass
class Watch:
    """What the pages of somebody do that they should not: runs, loads, leads away, hides, covers, or sticks out."""

    person: Person
    requests: list[Request] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.page.add_init_script(_BEFORE)
        self.page.on("request", self._look_at)

    @property
    def page(self) -> Page:
        return self.person.page

    def _look_at(self, request: Request) -> None:
        own = request.url.startswith(f"{self.person.url}/")
        usual = request.resource_type in ("document", "fetch", "eventsource") or "/static/" in request.url
        if not own or not usual:
            self.requests.append(request)

    def open(self, path: str) -> Page:
        """Go to a page. That it stays there is part of what is watched."""
        page = self.person.open(path)
        assert page.url == self.person.url + path
        return page

    def did(self) -> list[str]:
        """What the open page ran, loaded or brought along."""
        page = self.page
        inside = page.locator(_INSIDE).evaluate_all("(all) => all.map((one) => one.outerHTML.slice(0, 200))")
        frames = [frame.url for frame in page.frames[1:]]
        asked = [request.url for request in self.requests]
        return [*page.evaluate("window.hacked"), *page.evaluate(_BROUGHT), *inside, *frames, *asked]

    def hidden(self) -> set[str]:
        """Characters in what the page says that a reader would not see."""
        words = "".join(self.page.evaluate(_WORDS))
        return {f"U+{ord(one):04X}" for one in words if hides(one) and one not in "\n\t"}

    def hard_to_see(self) -> list[str]:
        """Texts without room, cut off, or on one another; and by how much the page is too wide."""
        wide = [f"{self.person.overflow} px too wide"] if self.person.overflow > 0 else []
        return [*wide, *self.page.evaluate(_SQUEEZED), *self.page.evaluate(_OVERLAPS)]

    def tags(self) -> Counter[str]:
        """How many elements there are of each kind that does something."""
        idle = {"mark", "span", "br", "p", "ins", "del", "bdi", "li", "ol", "input", "textarea"}
        return Counter(tag for tag in self.page.evaluate(_TAGS) if tag not in idle)


def pages(site: Entrance, waiting: Review, decided: Review) -> Iterator[str]:
    """The addresses of all pages that show what agents and people wrote."""
    yield "/reviews?state=all"
    yield f"/reviews/{waiting.id}"
    yield f"/reviews/{waiting.id}?open=all&take=1"
    yield f"/reviews/{decided.id}"
    yield f"/reviews/together?id={waiting.id}&id={decided.id}"
    yield "/records"
    yield f"/records/{waiting.record_id}?evidence=1"
    yield "/audits"
    yield f"/audits?record={waiting.record_id}&call=0"
    yield "/log"
    yield f"/log?about={waiting.id}"
    yield "/dashboard"
    yield "/people"
    yield "/account"
