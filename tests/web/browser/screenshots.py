"""The pictures of the documentation: ``python -m tests.web.browser.screenshots [FOLDER]``, by default docs/screenshots."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright

from guardrail.web.server import bind
from tests.access.doors import PASSWORD
from tests.web.browser.conftest import CHROMIUM, PHONE, serving
from tests.web.browser.scene import NOW, Scene

PLACE = Path(__file__).parents[3] / "docs" / "screenshots"
SIZE = (1180, 860)
MOST = 200_000
"""Bytes that a picture may have."""


@contextmanager
def somebody(browser: Browser, url: str, size: tuple[int, int] = SIZE, **more: Any) -> Iterator[Page]:
    """A browser in which ana has signed in, at the time that the scene has."""
    viewport = {"width": size[0], "height": size[1]}
    context = browser.new_context(viewport=viewport, reduced_motion="reduce", timezone_id="UTC", locale="en-GB", **more)  # type: ignore[arg-type]
    page = context.new_page()
    page.clock.set_fixed_time(NOW)
    page.goto(f"{url}/login")
    page.fill("#name", "ana")
    page.fill("#password", PASSWORD)
    page.click("#sign-in")
    page.wait_for_url("**/reviews")
    yield page
    context.close()


def take(folder: Path) -> list[Path]:
    """Write all pictures; returns where they are."""
    made: list[Path] = []

    def keep(page: Page, name: str, until: str = "") -> None:
        """The picture of a page: what a screen shows, or all of it down to the end of something."""
        page.locator("#live[data-live=on]").or_(page.locator("main:not(:has([data-live-page]))")).first.wait_for()
        if until:
            end = page.locator(until).first.evaluate("it => it.getBoundingClientRect().bottom + window.scrollY")
            page.set_viewport_size({"width": SIZE[0], "height": int(end) + 12})
        made.append(folder / f"{name}.png")
        page.screenshot(path=made[-1])
        with Image.open(made[-1]) as picture:  # 256 colours are enough for text on plain ground
            picture.convert("RGB").quantize(256, dither=Image.Dither.NONE).save(made[-1], optimize=True)

    with TemporaryDirectory() as place, sync_playwright() as playwright:
        listening = bind("127.0.0.1", 0)
        url = f"http://127.0.0.1:{listening.getsockname()[1]}"
        scene = Scene(Path(place), url)
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        with serving(scene, listening):
            with somebody(browser, url) as page:
                keep(page, "reviews", until="#list")
                page.goto(f"{url}/dashboard")
                keep(page, "dashboard", until="main")
                page.goto(f"{url}/reviews/{scene.payment.id}")
                keep(page, "review", until="#meanings")
                page.goto(f"{url}/reviews/{scene.money.id}?take=1")
                keep(page, "edit", until="#decide-section")
            with somebody(browser, url, color_scheme="dark") as page:
                page.goto(f"{url}/reviews/{scene.deletion.id}")
                keep(page, "dark", until="#meanings")
            with somebody(browser, url, PHONE, device_scale_factor=2) as page:
                page.goto(f"{url}/reviews/{scene.money.id}")
                keep(page, "phone")
        browser.close()
        scene.store.close()
    return made


def main() -> int:
    """Write the pictures, and say how large they are."""
    os.umask(0o022)
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else PLACE
    folder.mkdir(parents=True, exist_ok=True)
    made = take(folder)
    for one in made:
        print(f"{one}: {one.stat().st_size:,} bytes")
    too_large = [one.name for one in made if one.stat().st_size > MOST]
    if too_large:
        print(f"larger than {MOST:,} bytes: {', '.join(too_large)}", file=sys.stderr)
    return 1 if too_large else 0


if __name__ == "__main__":
    raise SystemExit(main())
