"""A real Chromium in front of the real application: its own door, its own socket, the time that it is."""

from __future__ import annotations

import os
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from guardrail.store import SQLiteStore
from guardrail.web import Settings
from guardrail.web.server import bind
from tests.access.doors import PASSWORD
from tests.web.entrance import Entrance

CHROMIUM = next(
    (found for name in ("chromium", "chromium-browser", "google-chrome") if (found := shutil.which(name))), ""
)
WIDE, PHONE = (1280, 900), (360, 740)
PATIENCE = 60.0
"""For how many seconds a page may not yet show what it should: a machine may have much else to do."""


@dataclass
class Now:
    """The time that it is, and what a test adds to it."""

    ahead: timedelta = field(default_factory=timedelta)

    def __call__(self) -> datetime:
        return datetime.now(UTC) + self.ahead

    def after(self, seconds: float) -> str:
        return (self() + timedelta(seconds=seconds)).isoformat()

    def move(self, seconds: float) -> None:
        self.ahead += timedelta(seconds=seconds)


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """A browser; each test has contexts of its own, which are like browsers of other people.

    Of one module, since no event loop of another test can run in a thread that drives a browser.
    """
    if not CHROMIUM:
        if os.environ.get("GUARDRAIL_REQUIRE_CHROMIUM"):
            pytest.fail("a browser is required here, and there is none: install chromium")
        pytest.skip("there is no chromium on this machine")
    with sync_playwright() as playwright:
        expect.set_options(timeout=1000 * PATIENCE)
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        yield browser
        browser.close()


@contextmanager
def serving(site: Entrance, listening: Any) -> Iterator[None]:
    """The application, answering at its socket."""
    config = uvicorn.Config(site.app, log_config=None, lifespan="off", ws="none", timeout_graceful_shutdown=2)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    try:
        yield
    finally:
        site.app.state.house.live.close()
        server.should_exit = True
        thread.join(timeout=10)


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Entrance]:
    """The application over a store in SQLite. Its admin is ``root``."""
    listening = bind("127.0.0.1", 0)
    store = SQLiteStore(tmp_path / "guardrail.db")
    settings = Settings(url=f"http://127.0.0.1:{listening.getsockname()[1]}")
    site = Entrance(store=store, clock=Now(), settings=settings)  # type: ignore[arg-type]
    with serving(site, listening):
        yield site
    store.close()


@dataclass
class Person:
    """Somebody in front of a browser. ``said`` is what its console complained of."""

    page: Page
    url: str
    said: list[str]

    def open(self, path: str) -> Page:
        """Go to a page, and wait until it is there."""
        self.page.goto(self.url + path)
        return self.page

    def until(self, holds: Callable[[], bool]) -> None:
        """Wait for something that the browser tells when it gets to it, after the page itself went on."""
        end = time.monotonic() + PATIENCE
        while not holds():
            assert time.monotonic() < end
            self.page.wait_for_timeout(50)

    @property
    def overflow(self) -> int:
        """By how many pixels the page is wider than the screen."""
        return int(self.page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth"))


Enter = Callable[..., Person]


@pytest.fixture
def enter(chromium: Browser, site: Entrance) -> Iterator[Enter]:
    """Opens a browser in which somebody signs in by the form: ``enter("root")``, ``enter("ana", size=PHONE)``.

    At the end nothing may have been wrong in any console: no script that was refused, none that failed.
    """
    contexts: list[BrowserContext] = []
    people: list[Person] = []

    def come(name: str = "root", *, size: tuple[int, int] = WIDE, look: Any = "light", **more: Any) -> Person:
        context = chromium.new_context(viewport={"width": size[0], "height": size[1]}, color_scheme=look, **more)
        contexts.append(context)
        context.set_default_timeout(1000 * PATIENCE)
        page = context.new_page()
        person = Person(page=page, url=site.settings.url, said=[])
        people.append(person)
        page.on("pageerror", lambda error: person.said.append(str(error)))
        page.on("dialog", lambda dialog: (person.said.append(f"dialog: {dialog.message}"), dialog.dismiss()))
        page.on("console", lambda one: person.said.append(one.text) if one.type == "error" else None)
        page.goto(f"{site.settings.url}/login")
        page.fill("#name", name)
        page.fill("#password", PASSWORD)
        page.click("#sign-in")
        page.wait_for_url("**/reviews")
        return person

    yield come
    said = [line for person in people for line in person.said if "status of 4" not in line]
    for context in contexts:
        context.close()
    assert said == []
