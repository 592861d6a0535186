"""One suite for all doors: each test takes ``opens``, which opens a conversation through the door of the test."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, ExitStack
from pathlib import Path
from typing import Any
from zlib import crc32

import pytest

from guardrail import open_store
from tests.adapters.door import Conversation, Door, Setting, Way
from tests.adapters.doors import DOORS
from tests.adapters.limits import LIMITS, Limit
from tests.adapters.script import Script
from tests.adapters.serving import Served
from tests.adapters.tools import rules
from tests.support.approval_trace import taped

EACH = [pytest.param(door, way, id=f"{door.name}-{way}") for door in DOORS for way in door.ways]
"""Every door in every way."""
EVEN = [one for one in EACH if len(one.values[0].ways) < 3 or one.values[1].asynchronous == one.values[1].stream]
"""Every door, one way synchronous and one streamed: for tests whose files take turns with ``ODD``."""
ODD = [one for one in EACH if len(one.values[0].ways) < 3 or one.values[1].asynchronous != one.values[1].stream]
"""Every door in the ways that ``EVEN`` leaves out."""
ONE = [one for number, one in enumerate(EVEN) if one.values[0] not in [each.values[0] for each in EVEN[:number]]]
"""Every door in one way: for tests that open many conversations."""
OTHER = [one for number, one in enumerate(ODD) if one.values[0] not in [each.values[0] for each in ODD[:number]]]
"""Every door in another one way."""
Opens = Callable[..., Any]


COLLECTED = pytest.StashKey[tuple[set[str], set[Limit]]]()
"""The names of the suite's tests, and the lines of the table that excuse one; also of those that are not run."""
TELLING = ("test_a_step_pays_exactly_n",)
"""Tests of which both kinds of server are always run."""


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Excused tests have to fail. Of what differs in little but the way or the kind of server one is run, and the rest
    with ``-m slow``; which one differs from door to door and from test to test, and is always the same.
    """
    names: set[str] = set()
    used: set[Limit] = set()
    alike: dict[str, list[pytest.Item]] = {}
    for item in items:
        spec = getattr(item, "callspec", None)
        if Path(__file__).parent not in item.path.parents:
            continue
        names.add(getattr(item, "originalname", ""))
        if spec is None or not isinstance(spec.params.get("door"), Door):
            continue
        if (limit := limit_of(item)) is not None:
            used.add(limit)
            item.add_marker(pytest.mark.xfail(reason=limit.reason, strict=True))
            item.add_marker(pytest.mark.slow)
        else:
            alike.setdefault(_group(item, spec), []).append(item)
    for group, members in alike.items():
        kept = crc32(group.encode()) % len(members)
        for number, item in enumerate(members):
            if number != kept:
                item.add_marker(pytest.mark.slow)
    config.stash[COLLECTED] = (names, used)


def _group(item: Any, spec: Any) -> str:
    """Tests of one group show the same of one door, but for the way, the kind of server, and what is decided."""
    test, params = item.originalname, spec.params
    parts = [params["door"].name, test]
    parts += [params["n"]] if test in TELLING else []
    parts += [str(params[name]) for name in ("situation", "kind") if name in params]
    if "situation" in params:
        # where a step is doubtful, what people decide is not a matter of how doubtful
        whole = params["situation"] == "agreeing" or "decision" not in params
        parts += [params["tier"] if whole else "", params.get("decision", "") if whole else ""]
    return "/".join(parts)


def limit_of(item: pytest.Item) -> Limit | None:
    """What excuses a test, if anything does."""
    spec = getattr(item, "callspec", None)
    door = None if spec is None else spec.params.get("door")
    if not isinstance(door, Door):
        return None
    way = spec.params["way"]
    test, named = getattr(item, "originalname", ""), f"{door.name}-{way}"
    cells = spec.id.replace(named, "").strip("-")
    return next((one for one in LIMITS if one.covers(door.name, str(way), test, cells)), None)


async def calmly(going: Awaitable[None]) -> str:
    """Run to the end, which may be an exception: its kind, or nothing."""
    try:
        await going
    except Exception as error:
        return type(error).__name__
    return ""


@pytest.fixture(autouse=True)
def _approvals_hold() -> Iterator[None]:
    """Whatever a test does, agentack's rules on approvals hold on what happened."""
    with taped() as tape:
        yield
    assert tape.broken() == []


@pytest.fixture(autouse=True)
def _quick_backoff(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("guardrail.sampling.drawing.BACKOFF_SECONDS", 0.001)


@pytest.fixture(scope="session")
def servers() -> Iterator[Callable[[type[Served]], Served]]:
    """One server for each API, for all tests of a process."""
    known: dict[type[Served], Served] = {}
    with ExitStack() as stack:

        def of(kind: type[Served]) -> Served:
            if kind not in known:
                known[kind] = stack.enter_context(kind())
            return known[kind]

        yield of


@pytest.fixture
async def opens(door: Door, way: Way, servers: Callable[[type[Served]], Served]) -> AsyncIterator[Opens]:
    """Opens a conversation: ``await opens(script, policy=..., store=..., n=..., **more of Setting)``; or, after
    ``again=`` an earlier one, the same conversation in another process.
    """
    async with AsyncExitStack() as stack:

        async def opened(script: Script | None = None, *, n: str = "honour", again: Any = None, **more: Any) -> Any:
            served = servers(door.serving)
            if script is not None:
                served.play(script, n=n)
            given: dict[str, Any] = {"policy": rules(), "store": open_store("memory://"), **more}
            if again is not None:
                old: Setting = again.setting
                kept = {name: getattr(old, name) for name in ("policy", "store", "thread_id", "tools", "options")}
                given = {**kept, "memory": old.memory, **more}
            conversation: Conversation = await stack.enter_async_context(
                door.open(Setting(served=served, way=way, **given))
            )
            return conversation

        yield opened
