"""The examples in docs/api.md run, in their order, against a server."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import uvicorn

from guardrail.store import SQLiteStore
from guardrail.web import Settings
from guardrail.web.server import bind
from tests.web.entrance import Entrance

PAGE = Path(__file__).parents[2] / "docs" / "api.md"
pytestmark = pytest.mark.skipif(shutil.which("curl") is None or shutil.which("bash") is None, reason="needs curl")


def examples() -> list[str]:
    """Each command of the page."""
    blocks = re.findall(r"^```sh\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    return [line for block in blocks for line in block.replace("\\\n", "").splitlines() if line.strip()]


@pytest.fixture
def entrance(tmp_path: Path) -> Iterator[Entrance]:
    listening = bind("127.0.0.1", 0)
    url = f"http://127.0.0.1:{listening.getsockname()[1]}"
    store = SQLiteStore(tmp_path / "guardrail.db")
    entrance = Entrance(store=store, settings=Settings(url=url))
    server = uvicorn.Server(uvicorn.Config(entrance.app, log_config=None, lifespan="off", ws="none"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
    thread.start()
    yield entrance
    entrance.app.state.house.live.close()
    server.should_exit = True
    thread.join(30)
    store.close()


def test_every_example_runs(entrance: Entrance) -> None:
    review = entrance.ask()
    token = entrance.token(entrance.add("ana", "treasury"), "reviews:read", "reviews:decide")
    known = {"URL": entrance.settings.url, "TOKEN": token, "ID": review.id, "DIGEST": review.digest}
    commands = examples()
    assert len(commands) > 12
    for command in commands:
        ran = subprocess.run(
            ["bash", "-c", command],
            env={**os.environ, **known},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert ran.returncode == 0, (command, ran.stderr)
        if "/events" in command:
            assert "event: hello" in ran.stdout
        elif command.rstrip('"').endswith(("healthz", "readyz")):
            assert ran.stdout == "ok\n"
        else:
            assert "status" not in json.loads(ran.stdout), (command, ran.stdout)
    decision = entrance.store.review(review.id).decision
    assert decision is not None
    assert (decision.type.value, decision.message, decision.by) == ("reject", "Ask the customer first.", "ana")


def test_every_problem_and_route_that_people_need_is_on_the_page() -> None:
    from guardrail.web.errors import KINDS, OTHERS

    said = PAGE.read_text(encoding="utf-8")
    for kind in (*OTHERS, *(kind for _, kind in KINDS)):
        if kind.status not in (406, 408):
            assert f"`{kind.code}`" in said, kind.code
    for name in ("claim", "decide-all", "resolve", "renew", "release", "comments", "reveal", "/metrics"):
        assert name in said, name
