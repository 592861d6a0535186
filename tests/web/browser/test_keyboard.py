"""Everything by keys: they lead to a form, and only its button, pressed on purpose, decides."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from guardrail.types import DecisionType
from tests.web.browser.conftest import Enter
from tests.web.browser.test_deciding import done, look
from tests.web.entrance import Entrance
from tests.web.serving import transfer


def test_from_the_list_to_a_decision(site: Entrance, enter: Enter) -> None:
    first = site.ask()
    second = site.ask(transfer(7))
    page = enter().page
    keys = page.keyboard
    keys.press("j")
    expect(page.locator(f"tr[data-review='{first.id}']")).to_have_attribute("data-current", "yes")
    keys.press("j")
    keys.press("j")
    expect(page.locator(f"tr[data-review='{second.id}'] a[data-open-review]")).to_be_focused()
    keys.press("k")
    keys.press("Enter")
    expect(page).to_have_url(re.compile(first.id))
    expect(page.locator("#live")).to_have_attribute("data-live", "on")
    keys.press("j")
    expect(page).to_have_url(re.compile(second.id))
    expect(page.locator("#live")).to_have_attribute("data-live", "on")
    keys.press("a")
    expect(page.locator("#approve-button")).to_be_focused()
    assert site.store.review(second.id).decision is None
    keys.press("Enter")
    assert done(site, page, second, "approved").type is DecisionType.APPROVE
    keys.press("u")
    expect(page).to_have_url(re.compile("/reviews$"))


@pytest.mark.parametrize("key", ["a", "e", "r", "m"])
def test_no_key_decides(site: Entrance, enter: Enter, key: str) -> None:
    review = site.ask()
    page = look(enter(), review)
    for _ in range(3):
        page.keyboard.press(key)
    choice = {"a": "approve", "e": "edit", "r": "reject", "m": "respond"}[key]
    expect(page.locator(f"[data-choice={choice}]")).to_have_attribute("open", "")
    for other in "aermo":
        if key != "a":
            page.keyboard.press(other)
    assert site.store.review(review.id) == review
    assert page.url.partition("#")[0].endswith(review.id)


def test_enter_in_a_field_decides_nothing(site: Entrance, enter: Enter) -> None:
    review = site.ask()
    page = look(enter(), review)
    page.keyboard.press("r")
    expect(page.locator("#reject input[type=radio]").first).to_be_focused()
    page.keyboard.press("Space")
    page.keyboard.press("Enter")
    page.locator("#edit").evaluate("form => form.closest('details').open = true")
    page.locator("#edit").get_by_label("amount").press("Enter")
    expect(page.locator("#edit")).to_be_visible()
    assert site.store.review(review.id) == review


def test_reject_by_keys_alone(site: Entrance, enter: Enter) -> None:
    review = site.ask()
    page = look(enter(), review)
    page.keyboard.press("r")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Tab")
    for _ in range(12):
        if page.locator("#reject-button").evaluate("button => button === document.activeElement"):
            break
        page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    assert done(site, page, review, "rejected").type is DecisionType.REJECT


def test_claiming_and_the_help(site: Entrance, enter: Enter) -> None:
    review = site.ask()
    page = look(enter(), review)
    page.keyboard.press("c")
    expect(page.locator("#claimed")).to_contain_text("You hold this review")
    page.keyboard.press("?")
    expect(page.locator("#help")).to_be_visible()
    page.keyboard.press("r")
    page.keyboard.press("Escape")
    expect(page.locator("#help")).to_be_hidden()
    expect(page.locator("[data-choice=reject]")).not_to_have_attribute("open", "")
    assert site.store.review(review.id).claim is not None


def test_keys_are_letters_while_somebody_types_and_can_be_switched_off(site: Entrance, enter: Enter) -> None:
    review = site.ask()
    page = look(enter(), review)
    page.click("#comment-text")
    page.keyboard.type("a e r m c j k o u ?")
    expect(page.locator("#comment-text")).to_have_value("a e r m c j k o u ?")
    page.locator("h1").click()
    page.keyboard.press("Control+r")
    page.keyboard.press("Shift+R")
    expect(page.locator("[data-choice=reject]")).not_to_have_attribute("open", "")
    page.keyboard.press("?")
    page.locator("#keys-on").uncheck()
    page.click("#help-close")
    page.keyboard.press("r")
    expect(page.locator("[data-choice=reject]")).not_to_have_attribute("open", "")
    assert site.store.review(review.id) == review


def test_the_first_tab_leads_past_the_menu(site: Entrance, enter: Enter) -> None:
    page = look(enter(), site.ask())
    page.keyboard.press("Tab")
    expect(page.locator(".skip")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("#main")).to_be_focused()
