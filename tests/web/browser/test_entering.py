"""Somebody comes in, and goes."""

from __future__ import annotations

from playwright.sync_api import expect

from tests.web.browser.conftest import PHONE, Enter
from tests.web.entrance import Entrance


def test_somebody_signs_in_and_out(site: Entrance, enter: Enter) -> None:
    root = enter("root")
    expect(root.page.get_by_role("heading", level=1)).to_have_text("Reviews")
    root.page.click("#sign-out")
    root.page.wait_for_url("**/login")
    root.open("/reviews")
    expect(root.page).to_have_url(f"{site.settings.url}/login?next=%2Freviews")


def test_the_pages_of_access_fit_a_phone(site: Entrance, enter: Enter) -> None:
    root = enter("root", size=PHONE)
    for path in ("/account", "/people"):
        root.open(path)
        assert root.overflow <= 0, path


def test_somebody_is_invited_by_a_link_that_works_once(site: Entrance, enter: Enter) -> None:
    root = enter("root")
    root.open("/people")
    root.page.fill("#invite-name", "ana")
    root.page.fill("#invite-roles", "treasury")
    root.page.click("#make-link")
    link = root.page.input_value("#link")
    root.page.click("text=I have kept it")
    root.page.click("#sign-out")
    for number in (1, 2):
        root.page.goto(link)
        if number == 2:
            expect(root.page.get_by_role("heading", level=1)).to_have_text("This link works no more")
            break
        root.page.fill("#password", "a phrase of ana alone")
        root.page.fill("#again", "a phrase of ana alone")
        root.page.click("#accept")
        root.page.wait_for_url("**/reviews")
        root.page.click("#sign-out")
    account = site.access.named("ana")
    assert account is not None
    assert account.roles == ("treasury",)
