"""Events as they happen: to everybody who may know, once, in order, without what is in them, and nothing left behind."""

from __future__ import annotations

import asyncio
import json
import threading
from dataclasses import dataclass, field
from typing import Any, Self

import pytest

from guardrail.errors import StoreError
from guardrail.store import Store
from guardrail.types import Principal, Review
from guardrail.web import Settings
from tests.web.serving import ANA, BEN, STRANGER, URL, As, Site, transfer

SECRET = "the secret memo"


@dataclass
class Listener:
    """A client of the stream, on the wire."""

    site: Site
    who: Principal | None = ANA
    query: str = ""
    headers: dict[str, str] = field(default_factory=dict)

    async def __aenter__(self) -> Self:
        self.gone = asyncio.Event()
        self.got = asyncio.Queue[bytes]()
        self.status = 0
        self.text = ""
        self.task = asyncio.ensure_future(self._run())
        return self

    async def __aexit__(self, *_: object) -> None:
        self.gone.set()
        await asyncio.wait_for(self.task, 10)

    async def _run(self) -> None:
        sent = False

        async def receive() -> dict[str, Any]:
            nonlocal sent
            if not sent:
                sent = True
                return {"type": "http.request", "body": b"", "more_body": False}
            await self.gone.wait()
            return {"type": "http.disconnect"}

        async def send(message: Any) -> None:
            if message["type"] == "http.response.start":
                self.status = message["status"]
            elif message["body"]:
                await self.got.put(message["body"])

        headers = {"host": self.site.settings.host, **self.headers}
        scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": "GET",
            "path": "/api/v1/events",
            "raw_path": b"/api/v1/events",
            "root_path": "",
            "scheme": "http",
            "query_string": self.query.encode(),
            "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
            "client": ("127.0.0.1", 1),
            "server": ("127.0.0.1", 8443),
        }
        await As(self.site.app, self.who)(scope, receive, send)

    async def event(self, name: str = "review") -> dict[str, Any]:
        """The next event of that name."""
        async with asyncio.timeout(20):
            while True:
                part = (await self.got.get()).decode()
                self.text += part
                lines = dict(line.partition(": ")[::2] for line in part.splitlines() if line[:1] not in ("", ":"))
                if lines.get("event") == name:
                    return {**json.loads(lines["data"]), "mark": int(lines["id"])}


def live(site: Site) -> Any:
    return site.app.state.house.live


async def test_what_happens_is_told_to_all_who_look(any_site: Site) -> None:
    async with Listener(any_site) as one, Listener(any_site, BEN) as two:
        await one.event("hello")
        await two.event("hello")
        review = await asyncio.to_thread(any_site.ask, transfer(memo=SECRET))
        for listener in (one, two):
            told = await listener.event()
            assert told | {"mark": 0} == {
                "id": review.id,
                "what": "opened",
                "state": "pending",
                "tier": "critical",
                "revision": 0,
                "mark": 0,
            }
        await asyncio.to_thread(any_site.queue.reject, review.id, by=ANA, message=SECRET)
        told = await one.event()
        assert (told["what"], told["state"], told["revision"]) == ("decided", "decided", 1)
        assert (await one.event("changed"))["kind"] == "label"
        assert SECRET not in one.text
    assert len(live(any_site)) == 0


async def test_another_tenant_is_told_nothing(site: Site) -> None:
    async with Listener(site, STRANGER) as theirs, Listener(site) as ours:
        await theirs.event("hello")
        await ours.event("hello")
        await asyncio.to_thread(site.ask)
        await ours.event()
        foreign = await asyncio.to_thread(site.ask, tenant="other")
        assert (await theirs.event())["id"] == foreign.id


async def test_whoever_comes_back_misses_nothing(any_site: Site) -> None:
    async with Listener(any_site, BEN) as stays:
        await stays.event("hello")
        async with Listener(any_site) as first:
            await first.event("hello")
            await asyncio.to_thread(any_site.ask)
            mark = (await first.event())["mark"]
        missed = [await asyncio.to_thread(any_site.ask) for _ in range(3)]
        seen = set()
        while seen != {review.id for review in missed}:  # so the process knows of all
            told = (await stays.event())["id"]
            seen |= {told} & {review.id for review in missed}
        async with Listener(any_site, headers={"last-event-id": str(mark)}) as again:
            found: set[str] = set()
            while not {review.id for review in missed} <= found:
                found.add((await again.event())["id"])


async def test_whoever_was_away_too_long_is_told_to_look_again(site: Site) -> None:
    await asyncio.to_thread(site.ask)
    async with Listener(site, query="since=0") as one:
        await one.event("reset")
    async with Listener(site, query=f"since={10**15}") as from_the_future:
        await from_the_future.event("reset")


async def test_whoever_has_seen_all_is_told_nothing_again(site: Site) -> None:
    await asyncio.to_thread(site.ask)
    async with Listener(site, query=f"since={site.store.change_mark()}") as one:
        await one.event("hello")
        review = await asyncio.to_thread(site.ask)
        assert (await one.event())["id"] == review.id
        assert "reset" not in one.text


async def test_a_flood_of_changes_is_told_as_one(site: Site) -> None:
    async with Listener(site) as one:
        await one.event("hello")

        def flood() -> None:
            live(site)._lock.acquire()
            try:
                for _ in range(60):
                    review = site.ask()
                    site.queue.claim(review.id, by=ANA)
                    site.queue.release(review.id, by=ANA)
                    site.queue.reject(review.id, by=ANA, message="no")
            finally:
                live(site)._lock.release()

        await asyncio.to_thread(flood)
        await one.event("reset")


async def test_streams_are_few_enough() -> None:
    site = Site(settings=Settings(url=URL, streams=3, streams_each=2))
    async with Listener(site) as a, Listener(site) as b:
        await a.event("hello")
        await b.event("hello")
        async with Listener(site) as third:
            await asyncio.wait_for(third.task, 20)
            assert third.status == 429
        async with Listener(site, BEN) as other:
            await other.event("hello")
            async with Listener(site, STRANGER) as last:
                await asyncio.wait_for(last.task, 20)
                assert last.status == 429
    assert len(live(site)) == 0
    async with Listener(site) as again:
        await again.event("hello")


async def test_whoever_goes_leaves_nothing_behind(any_site: Site) -> None:
    for _ in range(5):
        async with Listener(any_site) as one:
            await one.event("hello")
    assert len(live(any_site)) == 0
    assert not live(any_site)._tenants
    thread = live(any_site)._thread
    if thread is not None:
        await asyncio.to_thread(thread.join, 10)
        assert not thread.is_alive()


async def test_one_thread_waits_for_all(site: Site) -> None:
    async with Listener(site) as one, Listener(site, BEN) as two, Listener(site, STRANGER) as three:
        for listener in (one, two, three):
            await listener.event("hello")
        assert sum(thread is live(site)._thread for thread in threading.enumerate()) == 1


async def test_a_stream_ends_so_that_its_client_shows_itself_again() -> None:
    site = Site(settings=Settings(url=URL, stream_seconds=0.2, heartbeat_seconds=0.05))
    async with Listener(site) as one:
        await asyncio.wait_for(one.task, 20)
    parts = b""
    while not one.got.empty():
        parts += one.got.get_nowait()
    assert b": still here" in parts
    assert len(live(site)) == 0


async def test_what_happens_while_somebody_comes_is_told_to_them(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """The thread has looked beyond a change of a tenant which it did not know of yet."""
    from guardrail.web import live as module

    class Slow(module._Tenant):
        def __init__(self, store: Store, name: str) -> None:
            super().__init__(store, name)
            if name == "other":
                asked.append(site.ask(tenant="other"))
                asked.append(site.ask())
                assert told.wait(20)

    asked: list[Review] = []
    told = threading.Event()
    async with Listener(site) as ours:
        await ours.event("hello")
        monkeypatch.setattr(module, "_Tenant", Slow)
        async with Listener(site, STRANGER) as theirs:
            assert (await ours.event())["tier"] == "critical"
            told.set()
            assert (await theirs.event())["id"] == asked[0].id


async def test_the_end_of_the_process_ends_all_streams(site: Site) -> None:
    async with Listener(site) as one, Listener(site, STRANGER) as two:
        await one.event("hello")
        await two.event("hello")
        live(site).close()
        await asyncio.wait_for(asyncio.gather(one.task, two.task), 20)
    async with Listener(site) as late:
        await asyncio.wait_for(late.task, 20)
        assert late.status == 429


async def test_a_store_that_closes_after_the_streams_is_no_trouble(
    site: Site, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    waiting, closed = threading.Event(), threading.Event()

    def until_closed(*_: Any, **__: Any) -> bool:
        waiting.set()
        closed.wait(30)
        raise StoreError("the store is closed")

    monkeypatch.setattr(site.store, "wait_for_change", until_closed)
    async with Listener(site) as one:
        await one.event("hello")
        assert await asyncio.to_thread(waiting.wait, 30)
        watching = live(site)._thread
        live(site).close()
        closed.set()
        await asyncio.to_thread(watching.join, 30)
        assert not watching.is_alive()
    assert caplog.messages == []


async def test_a_store_that_fails_for_a_while_ends_no_stream(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any, **__: Any) -> bool:
        raise RuntimeError("gone")

    async with Listener(site) as one:
        await one.event("hello")
        with monkeypatch.context() as patch:
            patch.setattr(site.store, "wait_for_change", broken)
            await asyncio.sleep(1.5)  # long enough for the thread to run into it
        review = await asyncio.to_thread(site.ask)
        assert (await one.event())["id"] == review.id


async def test_a_client_that_does_not_read_is_told_to_look_again(site: Site) -> None:
    from guardrail.web.live import Event, Subscription

    one = Subscription(ANA)
    one.offer(Event(name="review", mark=number, upto=number) for number in range(400))
    one.offer(Event(name="review", mark=number, upto=number) for number in range(400, 800))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    first = await one.next(1)
    assert first is not None
    assert (first.name, first.mark) == ("reset", 0)
    assert await one.next(0.01) is None


def test_nothing_of_a_call_is_in_an_event(store: Store) -> None:
    """Whatever is written about a review: its events have these members and no other."""
    from guardrail.web.live import _changes

    site = Site(store=store)
    review = site.ask(transfer(memo=SECRET))
    site.queue.comment(review.id, by=ANA, text=SECRET)
    site.queue.reject(review.id, by=ANA, message=SECRET)
    for _, data in _changes(store, "", store.audit_entries()):
        assert data.keys() <= {"id", "what", "state", "tier", "revision", "kind"}
        assert SECRET not in json.dumps(data)
