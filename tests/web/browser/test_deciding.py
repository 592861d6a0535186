"""People decide in a browser: what they see is what they decide on, also when others are quicker."""

from __future__ import annotations

import re
from typing import Any

import pytest
from playwright.sync_api import Page, Route, expect

from guardrail.types import DecisionType, Fault, Review, ReviewState
from tests.web.browser.conftest import PHONE, Enter, Person
from tests.web.entrance import Entrance
from tests.web.serving import transfer


def look(person: Person, review: Review, more: str = "") -> Page:
    page = person.open(f"/reviews/{review.id}{more}")
    expect(page.locator("#live")).to_have_attribute("data-live", "on")
    return page


def done(site: Entrance, page: Page, review: Review, said: str) -> Any:
    expect(page).to_have_url(re.compile(rf"/reviews/{review.id}\?said={said}"))
    expect(page.locator("#said")).to_be_visible()
    page.wait_for_load_state()  # and the page's script listens
    return site.store.review(review.id).decision


def test_approve(site: Entrance, enter: Enter) -> None:
    review = site.ask()
    page = look(enter(), review)
    page.click("[data-choice=approve] summary")
    page.click("#approve-button")
    made = done(site, page, review, "approved")
    assert (made.type, made.by) == (DecisionType.APPROVE, "root")
    expect(page.locator("#decision")).to_contain_text("approved by root")


def test_edit_keeps_the_types(site: Entrance, enter: Enter) -> None:
    review = site.ask(transfer(250.5, urgent=True, tags=["a"]))
    page = look(enter(), review)
    page.click("[data-choice=edit] summary")
    edit = page.locator("#edit")
    edit.get_by_label("to text").fill("DE03")
    page.select_option("#edit-reason", "unwanted")
    page.click("#edit-button")
    made = done(site, page, review, "edited")
    assert made.arguments == {"to": "DE03", "amount": 250.5, "urgent": True, "tags": ["a"]}
    assert made.fault is Fault.UNWANTED


def test_an_edit_that_does_not_fit_stays_on_the_page(site: Entrance, enter: Enter) -> None:
    review = site.ask()
    page = look(enter(), review)
    page.click("[data-choice=edit] summary")
    page.locator("#edit").get_by_label("amount").fill("much")
    page.click("#edit-button")
    field = page.locator("#edit [aria-invalid=true]")
    expect(field).to_have_value("much")
    expect(field).to_be_in_viewport()
    field.fill("-5")
    page.click("#edit-button")
    expect(page.locator("#edit [aria-invalid=true]")).to_have_value("-5")
    page.locator("#edit [aria-invalid=true]").fill("25")
    page.click("#edit-button")
    assert done(site, page, review, "edited").arguments == {"to": "DE02", "amount": 25}


def test_an_alternative_is_taken_over_by_one_click(site: Entrance, enter: Enter) -> None:
    review = site.ask()
    page = look(enter(), review)
    page.click("[data-take]")
    expect(page.locator("#taken")).to_be_visible()
    expect(page.locator("#changes")).to_contain_text("amount")
    page.click("#edit-button")
    assert done(site, page, review, "edited").arguments == {"to": "DE02", "amount": 25}


def test_reject_with_a_reason(site: Entrance, enter: Enter) -> None:
    review = site.ask()
    page = look(enter(), review)
    page.click("[data-choice=reject] summary")
    page.get_by_label("Wrong value").check()
    page.fill("#reject-message", "It is 25, not 250.")
    page.click("#reject-button")
    made = done(site, page, review, "rejected")
    assert made.fault is Fault.WRONG
    assert made.message.endswith("It is 25, not 250.")


def test_respond(site: Entrance, enter: Enter) -> None:
    review = site.ask()
    page = look(enter(), review)
    page.click("[data-choice=respond] summary")
    page.fill("#respond-message", "Paid\nalready.")
    page.click("#respond-button")
    assert done(site, page, review, "answered").message == "Paid\nalready."


def test_two_people_and_one_claim(site: Entrance, enter: Enter) -> None:
    site.add("ben")
    review = site.ask()
    root, ben = enter("root"), enter("ben")
    first, second = look(root, review), look(ben, review)
    second.click("[data-choice=reject] summary")
    second.fill("#reject-message", "what ben typed")
    first.click("#claim-button")
    expect(first.locator("#claimed")).to_contain_text("You hold this review")
    expect(second.locator("#news")).to_contain_text("root holds this review")
    expect(second.locator("#reject-button")).to_be_disabled()
    expect(second.locator("#reject-message")).to_have_value("what ben typed")
    first.click("#release-button")
    expect(second.locator("#seen")).to_be_visible()
    second.click("#seen")
    expect(second.locator("#reject-button")).to_be_enabled()
    second.click("#reject-button")
    assert done(site, second, review, "rejected").message.endswith("what ben typed")
    expect(first.locator("#news")).to_contain_text("rejected by ben")
    expect(first.locator("#decide-forms")).to_have_attribute("disabled", "")


def test_who_claims_too_late_is_told(site: Entrance, enter: Enter) -> None:
    site.add("ben")
    review = site.ask()
    root, ben = enter("root"), enter("ben")
    page = look(root, review)
    root.page.context.set_offline(True)  # it does not hear of it
    site.queue.claim(review.id, by=site.access.session(ben.page.context.cookies()[0]["value"]).principal)  # type: ignore[union-attr]
    root.page.context.set_offline(False)
    page.click("#claim-button")
    expect(page.locator("#news")).to_contain_text("claimed by ben")


def test_a_review_expires_while_it_is_open(site: Entrance, enter: Enter) -> None:
    review = site.ask(due=site.clock.after(600))
    page = look(enter(), review)
    expect(page.locator("time[data-main]")).to_have_text(re.compile("in (10|9) min"))
    page.click("[data-choice=approve] summary")
    site.clock.move(601)
    site.queue.sweep()
    expect(page.locator("#news")).to_contain_text("can no longer be decided")
    expect(page.locator("#approve-button")).to_be_disabled()
    page.click("#show-now")
    expect(page.locator("[data-state=expired]").first).to_be_visible()
    assert site.store.review(review.id).state is ReviewState.EXPIRED


def test_a_deadline_that_passes_locks_the_forms(site: Entrance, enter: Enter) -> None:
    review = site.ask(due=site.clock.after(600))
    person = enter()
    person.page.clock.install()
    page = look(person, review)
    page.clock.fast_forward(595_000)
    expect(page.locator("#due-said")).to_contain_text("To be decided in")
    page.clock.fast_forward(60_000)
    expect(page.locator("#due-said")).to_have_text("The deadline has passed.")
    expect(page.locator("#decide-forms")).to_have_attribute("disabled", "")
    assert site.store.review(review.id).decision is None


def test_the_list_renews_itself(site: Entrance, enter: Enter) -> None:
    first = site.ask()
    person = enter()
    page = person.page
    expect(page.locator("#live")).to_have_attribute("data-live", "on")
    expect(page.locator("tr[data-review]")).to_have_count(1)
    page.keyboard.press("j")
    second = site.ask(transfer(7))
    expect(page.locator(f"tr[data-review='{second.id}']")).to_be_visible()
    expect(page.locator(f"tr[data-review='{first.id}'] a[data-open-review]")).to_be_focused()
    site.queue.claim(second.id, by="ben")
    expect(page.locator(f"tr[data-review='{second.id}']")).to_contain_text("ben")
    site.queue.reject(first.id, by="ben")
    expect(page.locator("tr[data-review]")).to_have_count(1)


def test_what_is_said_meanwhile_has_to_be_seen_first(site: Entrance, enter: Enter) -> None:
    review = site.ask()
    page = look(enter(), review)
    page.click("[data-choice=reject] summary")
    page.fill("#reject-message", "typed before")
    site.queue.comment(review.id, by="ben", text="Ask me first.")
    expect(page.locator("#news")).to_contain_text("commented by ben")
    expect(page.locator("#comments")).to_contain_text("Ask me first.")
    page.click("#reject-button")
    expect(page.locator("#problem")).to_contain_text("changed since you looked at it")
    expect(page.locator("#reject-message")).to_have_value("typed before")
    assert site.store.review(review.id).decision is None
    page.click("#reject-button")
    assert done(site, page, review, "rejected").message == "typed before"


def test_a_decision_that_comes_too_late_keeps_what_was_typed(site: Entrance, enter: Enter) -> None:
    review = site.ask()
    person = enter()
    page = look(person, review)
    page.click("[data-choice=respond] summary")
    page.fill("#respond-message", "my long answer")
    site.queue.approve(review.id, by="ben")
    expect(page.locator("#news")).to_contain_text("approved by ben")
    expect(page.locator("#respond-message")).to_have_value("my long answer")
    expect(page.locator("#respond-button")).to_be_disabled()


def test_a_comment_leaves_the_page_where_it_is(site: Entrance, enter: Enter) -> None:
    review = site.ask()
    page = look(enter(), review)
    page.click("[data-choice=respond] summary")
    page.fill("#respond-message", "half an ans")
    page.fill("#comment-text", "I look into it.")
    page.click("#comment-button")
    expect(page.locator("li[data-comment]")).to_contain_text("I look into it.")
    expect(page.locator("#comment-text")).to_have_value("")
    expect(page.locator("#respond-message")).to_have_value("half an ans")
    page.fill("#respond-message", "half an answer")
    page.click("#respond-button")
    assert done(site, page, review, "answered").message == "half an answer"


def test_four_eyes(site: Entrance, enter: Enter) -> None:
    site.add("ben")
    review = site.ask(quorum=2)
    for name, said in (("root", "voted"), ("ben", "approved")):
        page = look(enter(name), review)
        page.click("[data-choice=approve] summary")
        page.click("#approve-button")
        done(site, page, review, said)
    assert site.store.review(review.id).state is ReviewState.DECIDED


def test_huge_arguments_are_opened_in_place(site: Entrance, enter: Enter) -> None:
    review = site.ask(transfer(memo="pay " * 3000 + "everything"))
    page = look(enter(), review)
    page.click("[data-choice=approve] summary")
    page.click("#approve-button")
    expect(page.locator("#problem")).to_contain_text("open first what is folded (memo)")
    page.locator("#call details[data-fold] > summary").click()
    expect(page.locator("#call")).to_contain_text("everything")
    page.click("#approve-button")
    assert done(site, page, review, "approved").type is DecisionType.APPROVE


def test_what_is_opened_before_the_script_is_there_is_fetched(site: Entrance, enter: Enter) -> None:
    review = site.ask(transfer(memo="pay " * 3000 + "everything"))
    page = enter().page
    held: list[Route] = []

    def hold(route: Route) -> None:
        held.append(route)

    page.route("**/static/form.js*", hold)
    page.goto(f"{site.settings.url}/reviews/{review.id}", wait_until="commit")
    page.locator("#call details[data-fold] > summary").click()
    expect(page.locator("#call details[data-fold]")).to_have_attribute("open", "")
    expect(page.locator("#call")).not_to_contain_text("everything")
    held.pop().continue_()
    expect(page.locator("#call")).to_contain_text("everything")


def test_equal_calls_together(site: Entrance, enter: Enter) -> None:
    reviews = [site.ask_low(), site.ask_low()]
    page = enter().page
    page.locator("[data-together]").first.click()
    expect(page.locator("#together h1")).to_contain_text("2 equal calls")
    page.click("#approve-button")
    expect(page.locator("#said")).to_be_visible()
    assert {site.store.review(one.id).state for one in reviews} == {ReviewState.DECIDED}


@pytest.mark.parametrize("kind", ["approve", "edit", "reject"])
def test_without_a_script(site: Entrance, enter: Enter, kind: str) -> None:
    review = site.ask()
    page = enter(java_script_enabled=False).open(f"/reviews/{review.id}")
    page.locator(f"[data-choice={kind}] summary").click()
    if kind == "edit":
        page.locator("#edit").get_by_label("amount").fill("26")
    page.click(f"#{kind}-button")
    said = {"approve": "approved", "edit": "edited", "reject": "rejected"}[kind]
    made = done(site, page, review, said)
    assert made.arguments == ({"to": "DE02", "amount": 26} if kind == "edit" else None)


def test_on_a_phone(site: Entrance, enter: Enter) -> None:
    review = site.ask(transfer(memo="a memo " * 30, to="DE" + "0" * 300))
    person = enter(size=PHONE)
    assert person.overflow <= 0
    page = look(person, review)
    assert person.overflow <= 0
    page.click("#go-edit")
    expect(page.locator("#edit").get_by_label("amount")).to_be_in_viewport()
    assert person.overflow <= 0
    page.click("#go-reject")
    expect(page.locator("#reject input[type=radio]").first).to_be_in_viewport()
    page.get_by_label("Right call, but not now").check()
    page.click("#reject-button")
    assert done(site, page, review, "rejected").fault is Fault.UNWANTED
