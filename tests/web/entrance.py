"""An application with its real door, and browsers that come to it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from starlette.testclient import TestClient
from starlette.types import ASGIApp, Receive, Scope, Send

from guardrail.access import Access, Passwords, principal_of
from guardrail.types import Account, PrincipalKind
from guardrail.web.auth import Authenticated
from guardrail.web.errors import FAILED
from tests.access.doors import CHEAP, PASSWORD
from tests.web.reading import Element, read, send
from tests.web.serving import Site

HTML = {"accept": "text/html"}


class Loud:
    """The application; what it did not foresee fails the test."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._app(scope, receive, send)
        if FAILED in scope:
            raise scope[FAILED]


@dataclass
class Entrance(Site):
    """One application, with an admin, ``root``."""

    door: type[Any] = Authenticated
    root: Account = field(init=False)

    def __post_init__(self) -> None:
        super().__post_init__()
        self.access = Access(self.store, clock=self.clock, passwords=Passwords(CHEAP))
        self.app.state.access = self.access
        secret = self.access.first_run(tenant=self.settings.tenant)
        assert secret is not None
        self.root = self.access.accept(secret, name="root", password=PASSWORD)

    def add(self, name: str, *roles: str) -> Account:
        secret = self.access.invite(name, roles, by=principal_of(self.root))
        return self.access.accept(secret, password=PASSWORD)

    def browser(self, **headers: str) -> TestClient:
        """A browser in which nobody is signed in. Redirects are not followed."""
        return TestClient(
            Loud(self.app), base_url=self.settings.url, follow_redirects=False, headers={**HTML, **headers}
        )

    def signed_in(self, name: str = "root", password: str = PASSWORD) -> TestClient:
        """A browser in which somebody has signed in by the form."""
        browser = self.browser()
        answer = send(browser, self.see(browser, "/login"), "login", name=name, password=password)
        assert answer.status_code == 303, answer.text
        return browser

    def see(self, browser: TestClient, path: str, status: int = 200) -> Element:
        answer = browser.get(path)
        assert answer.status_code == status, answer.text
        return read(answer.text)

    def program(self, text: str, **headers: str) -> TestClient:
        """A program with a token."""
        return TestClient(
            Loud(self.app),
            base_url=self.settings.url,
            follow_redirects=False,
            headers={"authorization": f"Bearer {text}", **headers},
        )

    def token(self, account: Account, *scopes: str) -> str:
        _, text = self.access.create_token("ci", scopes=scopes, by=principal_of(account), owner=account)
        return text

    def agent_token(self, *scopes: str, name: str = "shop-bot") -> str:
        by = principal_of(self.root)
        _, text = self.access.create_token(name, scopes=scopes, by=by, kind=PrincipalKind.AGENT)
        return text


def csrf_of(page: Element) -> str:
    """The token that the page's forms send back."""
    return page.all("input", name="csrf")[0].attributes["value"]
