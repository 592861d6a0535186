"""A door: one way in which an agent meets the guard. How to add one is said in ``tests/adapters/doors/__init__.py``."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, ClassVar

from guardrail import Policy, Store
from guardrail.clock import utc_now
from guardrail.review import WAITING, Queue
from guardrail.types import Record, Review
from tests.adapters.serving import OpenAIServed, Served
from tests.adapters.tools import Tools


class Unable(Exception):
    """A door cannot do this. ``tests/adapters/limits.py`` says which, and why."""


@dataclass(frozen=True)
class Way:
    """How the agent is run."""

    asynchronous: bool
    stream: bool

    def __str__(self) -> str:
        return f"{'async' if self.asynchronous else 'sync'}-{'stream' if self.stream else 'plain'}"


SYNC, SYNC_STREAM = Way(False, False), Way(False, True)
ASYNC, ASYNC_STREAM = Way(True, False), Way(True, True)
ALL_WAYS = (SYNC, SYNC_STREAM, ASYNC, ASYNC_STREAM)


@dataclass(kw_only=True)
class Setting:
    """What a conversation is given. ``options`` are of ``guardrail.Guard``; ``sampler`` is in the place of the door's
    own. ``memory`` is what a framework keeps of a run beside our store, and finds again after a restart.
    """

    served: Any
    way: Way
    policy: Policy
    store: Store
    thread_id: str = "t"
    tools: Tools = field(default_factory=Tools)
    options: dict[str, Any] = field(default_factory=dict)
    memory: dict[str, Any] = field(default_factory=dict)


class Conversation(ABC):
    """One agent with the guard, which the user tells "go"."""

    speaks = True
    """Whether the model's last words come through it."""

    def __init__(self, setting: Setting) -> None:
        self.setting = setting
        self.final = ""
        """The model's last words, once it has ended."""
        self.seen = ""
        """Everything that somebody who streams the run has seen, as text; of a run that is not streamed what it gave
        back."""
        self.told: list[str] = []
        """What the tools answered the model, or the guard in their place, in the order of the newest run."""

    @abstractmethod
    async def go(self) -> None:
        """Say "go", and run until the agent ends or a call waits for a human."""

    @abstractmethod
    async def resume(self) -> None:
        """Go on after people have decided in the queue; until the agent ends or a call waits."""

    async def replay(self) -> None:
        """Go on once more from what was saved when a call waited, as if the first resumption had not been.

        Raises:
            Unable: nothing is saved that could be gone on from twice.
        """
        raise Unable

    async def answer(self, kind: str, **said: Any) -> None:
        """Decide on the one call that waits by the framework's own means, and go on. ``kind`` is a decision's type;
        ``said`` has ``arguments`` or ``message``.

        Raises:
            Unable: the framework has no means of its own.
        """
        raise Unable

    async def say(self, text: str) -> None:
        """A new message of the user, whatever waits.

        Raises:
            Unable: there is no such thing.
        """
        raise Unable

    async def change(self, **arguments: Any) -> None:
        """Change the arguments of the one call that has a verdict, where the conversation is kept, and go on.

        Raises:
            Unable: nothing is kept there that could be changed.
        """
        raise Unable

    async def close(self) -> None:  # noqa: B027 - most have nothing to give back
        """Give everything back."""

    # the same for all

    @property
    def ran(self) -> list[tuple[str, dict[str, Any]]]:
        """What has run, in order, in any process of the conversation."""
        return self.setting.tools.run

    @property
    def records(self) -> list[Record]:
        """The records of its steps, oldest first."""
        return self.setting.store.records(limit=100)[::-1]

    @property
    def reviews(self) -> list[Review]:
        """Every review of it, oldest first."""
        return sorted(self.setting.store.reviews(), key=lambda one: one.at)

    @property
    def waiting(self) -> list[Review]:
        """The reviews that nobody has decided, in the order in which the calls were planned; those that come to a door
        side by side, each as a plan of its own, in the order of their arguments.
        """
        found = [one for one in self.setting.store.reviews() if one.state in WAITING]
        steps = [[call.id for call in record.planned.calls] for record in self.records]
        alone = all(len(ids) == 1 for ids in steps)
        order = [one for ids in steps for one in ids]
        return sorted(found, key=lambda one: (str(one.call.arguments) if alone else order.index(one.call.id), one.at))

    @property
    def queue(self) -> Queue:
        """Where people decide."""
        return Queue(self.setting.store)

    def decide(self, kind: str, review: Review | None = None, **said: Any) -> Review:
        """A person decides on a review, by default the only one that waits; or nobody does in time ("expire")."""
        if review is None:
            (review,) = self.waiting
        if kind == "expire":
            Queue(self.setting.store, clock=lambda: utc_now() + timedelta(days=2)).sweep()
            return self.queue.get(review.id)
        done: Review = getattr(self.queue, kind)(review.id, by="ada", seen_digest=review.digest, **said)
        return done


class Door(ABC):
    """An adapter, and how it is run. ``serving`` is what serves its model; ``ways`` are those that there are."""

    name: ClassVar[str]
    ways: ClassVar[tuple[Way, ...]] = ALL_WAYS
    serving: ClassVar[type[Served]] = OpenAIServed

    @abstractmethod
    def open(self, setting: Setting) -> AbstractAsyncContextManager[Conversation]:
        """A conversation. The same setting again is another process, after the first one ended."""


@asynccontextmanager
async def closing(conversation: Conversation) -> AsyncIterator[Conversation]:
    """For doors whose conversations are made at once."""
    try:
        yield conversation
    finally:
        await conversation.close()
