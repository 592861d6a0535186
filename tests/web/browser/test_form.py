"""The form for an edit in a real browser, which changes line breaks, spaces and numbers if one lets it."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from guardrail.types import Review, ToolCall, ToolSpec
from tests.web.browser.conftest import Enter
from tests.web.browser.poison import Watch
from tests.web.edits import CALL, TOOL
from tests.web.entrance import Entrance

SCRIPTED = pytest.mark.parametrize("scripted", [True, False], ids=["with a script", "without"])

TEXTS: dict[str, str] = {
    "empty": "",
    "line feed first": "\nx",
    "line feeds": "\n\n\na\n\n",
    "both line breaks": "a\r\nb\nc\rd",
    "only a return": "\r",
    "spaces around": "  x  ",
    "tab": "\tx\t",
    "zero width": "pay\u200bpal",
    "override": "\u202eecila",
    "no break space": "1\u00a0000",
    "line separator": "a\u2028b\x85c",
    "not normalized": "e\u0301 \u00e9 \u212b",
    "looks like a number": "0012.50",
    "looks like null": "null",
    "looks like JSON": '{"a": 1}',
    "entity": "&amp;lt;&#10;",
    "end of textarea": "</textarea>\n<script>alert(1)</script>",
    "quotes": "\"'`<>",
    "long": "word " * 300,
    "too long for a form": "y" * 30_000,
    "emoji": "\U0001f469\u200d\U0001f4bb",
}
NUMBERS: dict[str, Any] = {
    "big whole": 2**200,
    "bigger than a double": 9007199254740993,
    "negative": -5,
    "one": 1,
    "one point zero": 1.0,
    "tenth": 0.1,
    "many digits": 0.30000000000000004,
    "tiny": 5e-324,
    "large": 1.7976931348623157e308,
    "power": 1e21,
}
OTHERS: dict[str, Any] = {
    "nothing": None,
    "yes": True,
    "no": False,
    "no list": [],
    "no object": {},
    "rows": ["", "\n", "a\r\nb", "x"],
    "kinds": [1, 1.0, "1", True, None, [], {}],
    "inside": {"b": {"a": [{"\u202e": "\r\n"}, None]}, "a": 2**70, "": ""},
}
VALUES = TEXTS | NUMBERS | OTHERS
SCHEMAS: dict[str, Any] = {
    **{name: {"type": "string"} for name in TEXTS},
    **{name: {"type": "number"} for name in NUMBERS},
    "big whole": {"type": "integer"},
    "bigger than a double": {"type": "integer"},
    "nothing": {"type": ["string", "null"]},
    "yes": {"type": "boolean"},
    "no list": {"type": "array", "items": {"type": "string"}},
    "no object": {"type": "object", "properties": {"x": {"type": "string"}}},
    "rows": {"type": "array", "items": {"type": "string"}},
}
EVERYTHING = ToolSpec(
    name="transfer", parameters={"type": "object", "properties": SCHEMAS, "additionalProperties": True}
)


def offered(site: Entrance, tool: ToolSpec, arguments: dict[str, Any]) -> Review:
    """A call of this tool that waits."""
    base = site.ask()
    record = site.record(base)
    call = ToolCall(name=tool.name, arguments=arguments, id="c1")
    verdict = replace(record.verdict.verdicts[0], call=call, clusters=())
    site.store.add_record(
        replace(record, id="offered", tools=(tool,), verdict=replace(record.verdict, verdicts=(verdict,)))
    )
    site.queue.reject(base.id, by="ben")
    return site.queue.open(replace(base, id="a" * 64, record_id="offered", call=call))


def edit(enter: Enter, review: Review, *, scripted: bool = True) -> Page:
    """The form, open in front of somebody."""
    page = enter(java_script_enabled=scripted).open(f"/reviews/{review.id}?open=all")
    if scripted:
        expect(page.locator("#live")).to_have_attribute("data-live", "on")
    page.click("[data-choice=edit] > summary")
    return page


def made(site: Entrance, page: Page, review: Review) -> Any:
    """What was decided when the form is sent."""
    page.click("#edit-button")
    expect(page).to_have_url(re.compile(r"\?said=edited"))
    decision = site.store.review(review.id).decision
    assert decision is not None
    return decision.arguments


def exact(value: object) -> str:
    """A value with types and order."""
    return json.dumps(value)


def field(page: Page, label: str) -> Any:
    return page.locator("#edit .field").filter(has=page.locator(f"label .name:text-is('{label}')")).first


@SCRIPTED
@pytest.mark.parametrize("turned", [False, True], ids=["as it came", "checked, as JSON and back"])
def test_a_form_that_nobody_touched_sends_what_was_planned(
    site: Entrance, enter: Enter, *, turned: bool, scripted: bool
) -> None:
    review = offered(site, EVERYTHING, VALUES)
    page = edit(enter, review, scripted=scripted)
    if turned:
        page.click("#edit-check")
        expect(page.locator("[data-edit-preview]")).to_contain_text("No differences")
        page.click("#edit-json")
        expect(page.locator("textarea[id='edit-f']")).to_have_value(re.compile("too long for a form"))
        page.click("#edit-fields")
        expect(page.locator("[id='edit-f.0']")).to_be_visible()
    assert exact(made(site, page, review)) == exact(VALUES)


@SCRIPTED
def test_what_is_typed_keeps_its_type(site: Entrance, enter: Enter, *, scripted: bool) -> None:
    given = {**CALL, "count": 1, "memo": "x"}
    review = offered(site, TOOL, given)
    page = edit(enter, review, scripted=scripted)
    form = page.locator("#edit")
    form.get_by_label("to text").fill("00123")
    form.get_by_label("amount").fill("0.30")
    form.get_by_label("count").first.fill(str(2**80))
    form.get_by_label("urgent").first.select_option(label="false")
    form.locator("textarea, input").and_(form.locator("[name='f.5.u']")).fill("null")
    assert exact(made(site, page, review)) == exact(
        {"to": "00123", "amount": 0.3, "count": 2**80, "memo": "null", "urgent": False}
    )


@SCRIPTED
def test_rows_come_and_go(site: Entrance, enter: Enter, *, scripted: bool) -> None:
    review = offered(site, TOOL, {**CALL, "tags": ["a\u200b", "b", "c"]})
    page = edit(enter, review, scripted=scripted)
    page.fill("[id='edit-f.0']", "typed before")
    page.click("[id='edit-f.6.1-remove']")
    expect(page.locator("[id='edit-f.6.1']")).to_have_count(0)
    page.click("[id='edit-f.6-add']")
    new = page.locator("[id='edit-f.6.3']")
    if scripted:
        expect(new).to_be_focused()
    new.fill("new")
    page.click("[id='edit-f.6-add']")
    expect(page.locator("[id='edit-f.6.4']")).to_have_value("")
    page.click("[id='edit-f.6.2-remove']")
    expect(page.locator("[id='edit-f.6.2']")).to_have_count(0)
    expect(page.locator("[id='edit-f.0']")).to_have_value("typed before")
    assert site.store.review(review.id).decision is None
    sent = made(site, page, review)
    assert exact(sent) == exact({"to": "typed before", "amount": 250, "tags": ["a\u200b", "new", ""]})


@SCRIPTED
def test_another_kind_of_a_value(site: Entrance, enter: Enter, *, scripted: bool) -> None:
    review = offered(site, TOOL, {**CALL, "target": {"kind": "phone", "number": "+49"}})
    page = edit(enter, review, scripted=scripted)
    page.select_option("[id='edit-f.8']", label="Mail, kind mail")
    if not scripted:
        page.click("[id='edit-f.8-as']")
    address = page.locator("#edit").get_by_label("address")
    address.fill("ana@example.org")
    sent = made(site, page, review)
    assert exact(sent) == exact({**CALL, "target": {"kind": "mail", "address": "ana@example.org"}})


@SCRIPTED
def test_what_an_edit_changes_is_shown_before_it_is_sent(site: Entrance, enter: Enter, *, scripted: bool) -> None:
    review = offered(site, TOOL, CALL)
    page = edit(enter, review, scripted=scripted)
    page.fill("[id='edit-f.0']", "pay\u200bpal")
    page.fill("[id='edit-f.1']", "25")
    page.press("[id='edit-f.1']", "Enter")
    seen = page.locator("[data-edit-preview]")
    expect(seen.locator("tbody tr")).to_have_count(2)
    expect(seen.locator("mark").first).to_have_text("\\u200b")
    expect(seen.locator(".notice")).to_contain_text("cannot be seen")
    expect(seen.locator("tr", has_text="amount")).to_contain_text("25")
    expect(page.locator("[id='edit-f.0']")).to_have_value('"pay\\u200bpal"')
    assert site.store.review(review.id).decision is None
    assert exact(made(site, page, review)) == exact({"to": "pay\u200bpal", "amount": 25})


WRONG = {"0": "kept as typed", "1": "1,5", "4": "0x10"}


@SCRIPTED
def test_what_is_wrong_is_said_at_its_field_and_stays_typed(site: Entrance, enter: Enter, *, scripted: bool) -> None:
    review = offered(site, TOOL, {**CALL, "count": 1})
    page = edit(enter, review, scripted=scripted)
    for number, text in WRONG.items():
        page.fill(f"[id='edit-f.{number}']", text)
    page.click("#edit-button")
    expect(page.locator("#edit [role=alert] li")).to_have_count(2)
    for number, text in WRONG.items():
        one = page.locator(f"[id='edit-f.{number}']")
        expect(one).to_have_value(text)
        if number != "0":
            expect(one).to_have_attribute("aria-invalid", "true")
            described = (one.get_attribute("aria-describedby") or "").split()
            assert f"edit-f.{number}-error" in described
            expect(page.locator(f"[id='edit-f.{number}-error']")).to_contain_text("is wanted")
    assert site.store.review(review.id).decision is None
    page.fill("[id='edit-f.1']", "1.5")
    page.fill("[id='edit-f.4']", "16")
    assert exact(made(site, page, review)) == exact({"to": "kept as typed", "amount": 1.5, "count": 16})


@SCRIPTED
def test_json_that_does_not_parse_stays_typed(site: Entrance, enter: Enter, *, scripted: bool) -> None:
    review = offered(site, TOOL, CALL)
    page = edit(enter, review, scripted=scripted)
    page.fill("[id='edit-f.0']", "taken along")
    page.click("#edit-json")
    area = page.locator("textarea[id='edit-f']")
    expect(area).to_have_value(re.compile("taken along"))
    wrong = '{"to": "</textarea><script>alert(1)</script>",\n\n "amount": 1e999}'
    area.fill(wrong)
    page.click("#edit-button")
    expect(page.locator("#edit [role=alert]")).to_contain_text("beyond the numbers")
    expect(area).to_have_value(wrong)
    area.fill(wrong.replace("1e999", "12345678901234567890"))
    assert exact(made(site, page, review)) == exact(
        {"to": "</textarea><script>alert(1)</script>", "amount": 12345678901234567890}
    )


def test_a_hostile_schema_is_text_in_the_form(site: Entrance, enter: Enter) -> None:
    text = '"></textarea></select><script>alert(1)</script><img src=x onerror=alert(1)>\u202e'
    schema: dict[str, Any] = {
        "type": "object",
        "title": text,
        "description": text,
        "properties": {
            text: {"type": "string", "title": text, "description": text, "default": text, "pattern": text},
            "choice": {"enum": [text, 1], "description": text},
            "rows": {"type": "array", "items": {"type": "string", "title": text}},
            "one": {
                "anyOf": [{"type": "object", "title": text, "properties": {text: {"const": text}}}, {"type": "null"}]
            },
        },
    }
    given = {text: text, "choice": text, "rows": [text], "one": {text: text}}
    review = offered(site, ToolSpec(name="transfer", description=text, parameters=schema), given)
    watch = Watch(enter(bypass_csp=True))
    page = watch.open(f"/reviews/{review.id}")
    page.click("[data-choice=edit] > summary")
    for button in ("#edit-check", "#edit-json", "#edit-fields", "[id='edit-f.2-add']"):
        page.click(button)
        expect(page.locator("#edit[data-changing]")).to_have_count(0)
    assert (watch.did(), watch.hidden()) == ([], set())
    for width in (1280, 360, 320):
        page.set_viewport_size({"width": width, "height": 900})
        assert watch.hard_to_see() == []
