"""From what happened to what people read: each look keeps what is owed, and sends what is due."""

from __future__ import annotations

import logging
import os
import random
import secrets
import socket
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Final, NamedTuple

from guardrail.errors import ConfigError, StoreError
from guardrail.notify.channels import Channel, Configuration
from guardrail.notify.messages import Message, Telling
from guardrail.notify.owed import Owing
from guardrail.notify.pace import MOST_ATTEMPTS, Pacing, wait
from guardrail.notify.senders import NotSent, Open, Sender, open_sender
from guardrail.store import Store
from guardrail.types import Notice, NoticeState

LEASE: Final = 60.0
"""Seconds that a process has to send a message before another one takes it up."""
_ALONE: Final = 3
"""Notices that each go in a message of their own; more of them are told together."""
_TOGETHER: Final = 1000
_MESSAGES: Final = 20
_AT_ONCE: Final = 8
_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Told:
    """What one look brought: notices that are new, messages that went out, and attempts that failed."""

    owed: int = 0
    sent: int = 0
    failed: int = 0


class Notifier:
    """Tells the channels of a configuration what they are owed.

    Call ``look`` again and again, from a thread in which no event loop runs, in as many processes as there are. Nothing
    that a channel does raises; what failed is logged, counted, and tried again.

    Args:
        store: where reviews, alarms and the outbox are.
        configuration: the channels.
        open: gives a channel's way of telling; by default with secrets from the environment.
        clock: gives the present moment.
        chance: gives numbers in [0, 1).
        lease: seconds after which a message whose sender died is taken up by another process; more than an attempt
            may take.

    Raises:
        ConfigError, MissingExtra: a channel cannot be used.
    """

    def __init__(
        self,
        store: Store,
        configuration: Configuration,
        *,
        open: Open = open_sender,  # noqa: A002 - what it does
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        chance: Callable[[], float] = random.random,
        lease: float = LEASE,
    ) -> None:
        self._store = store
        self._lease = lease
        self._configuration = configuration
        self._senders: list[tuple[Channel, Sender]] = [(one, open(one)) for one in configuration.channels]
        self._owing = Owing(store, configuration.channels)
        self._telling = Telling(store, configuration.url)
        self._clock = clock
        self._chance = chance
        self._name = f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(4)}"

    def look(self) -> Told:
        """Keep what is owed since the last look, and send what is due.

        Raises:
            StoreError: the store cannot be read or written; what was not done is done at the next look.
        """
        owed = self._owing.look(self._clock())
        sent = failed = 0
        for _ in range(_MESSAGES):
            attempts = [one for channel, sender in self._senders if (one := self._next(channel, sender)) is not None]
            if not attempts:
                break
            for attempt, failure in zip(attempts, _sent(attempts, self._clock()), strict=True):
                if failure is None:
                    attempt.pacing.sent(self._clock().timestamp())
                    self._settle(attempt.claimed, NoticeState.SENT, attempt.left_out)
                    sent += 1
                else:
                    self._failed(attempt.channel, attempt.pacing, attempt.claimed, failure)
                    failed += 1
        return Told(owed=owed, sent=sent, failed=failed)

    def look_at_stuck(self) -> int:
        """Keep a notice of every call that has been executing for too long; say how many are new."""
        return self._owing.look_at_stuck(self._clock(), self._configuration.stuck_after)

    def _next(self, channel: Channel, sender: Sender) -> _Attempt | None:
        """The next message of a channel, claimed, with the right to send it; None where it has none, or has to wait."""
        pacing = Pacing(self._store, channel, self._chance)
        for _ in range(_MESSAGES):
            now = self._clock()
            pace = pacing.look(now.timestamp())
            if pace.until > now.timestamp() or pace.tokens < 1:
                return None
            fresh = self._store.due_notices(channel.name, now=now.isoformat())
            claimed = self._store.claim_notices(
                channel.name,
                by=self._name,
                now=now.isoformat(),
                until=(now + timedelta(seconds=self._lease)).isoformat(),
                most=1 if fresh <= min(_ALONE, int(pace.tokens)) else _TOGETHER,
            )
            if not claimed:
                return None
            try:
                message, left_out = self._telling.message(channel, claimed)
            except StoreError as error:  # a damaged review must not hold up the others
                self._failed(channel, pacing, claimed, NotSent(f"it could not be made ({type(error).__name__})"))
                return None
            if message is None:
                self._settle(claimed, NoticeState.DROPPED, left_out)
                continue
            waits = pacing.take(self._clock().timestamp())
            if waits > 0:
                self._put_back(claimed, waits)
                return None
            return _Attempt(channel, sender, pacing, claimed, message, left_out)
        return None

    def _failed(self, channel: Channel, pacing: Pacing, claimed: Sequence[Notice], why: NotSent) -> None:
        now, message = self._clock(), claimed[0].message[:12]
        pacing.failed(now.timestamp(), str(why), why.after)
        attempts = claimed[0].attempts
        if why.final or attempts >= MOST_ATTEMPTS:
            _log.error("channel %s: message %s is given up: %s", channel.name, message, why)
            self._settle(claimed, NoticeState.DEAD, frozenset(), error=str(why))
            return
        _log.warning("channel %s: message %s was not sent: %s", channel.name, message, why)
        self._put_back(claimed, max(wait(attempts - 1, self._chance), why.after or 0.0), error=str(why), tried=True)

    def _settle(
        self, claimed: Sequence[Notice], state: NoticeState, left_out: set[str] | frozenset[str], *, error: str = ""
    ) -> None:
        self._store.settle_notices(
            [
                replace(
                    one,
                    state=NoticeState.DROPPED if one.id in left_out else state,
                    due="",
                    by="",
                    error=error,
                    revision=one.revision + 1,
                )
                for one in claimed
            ]
        )

    def _put_back(self, claimed: Sequence[Notice], seconds: float, *, error: str = "", tried: bool = False) -> None:
        due = (self._clock() + timedelta(seconds=seconds)).isoformat()
        self._store.settle_notices(
            [
                replace(
                    one,
                    due=due if one.id == one.message else "",
                    by="",
                    attempts=one.attempts if tried else one.attempts - 1,
                    error=error or one.error,
                    revision=one.revision + 1,
                )
                for one in claimed
            ]
        )


def send_test(channel: Channel, configuration: Configuration, *, open: Open = open_sender) -> None:  # noqa: A002
    """Send a message to one channel that says that it is a test.

    Raises:
        ConfigError: the channel cannot be used, or did not take it; the message says why, without secrets.
    """
    from guardrail.notify.wording import Item
    from guardrail.types import NoticeEvent, Tier

    item = Item(event=NoticeEvent.OPENED, id="test", tier=Tier.LOW, tool="test", why="this is a test, nothing waits")
    sender = open(channel)
    try:
        message = Message(id=f"test_{secrets.token_hex(12)}", items=(item,), url=configuration.url)
        sender.send(message, datetime.now(UTC))
    except NotSent as error:
        raise ConfigError(f"the channel {channel.name} did not take the message: {error}") from error


class _Attempt(NamedTuple):
    """A message on its way."""

    channel: Channel
    sender: Sender
    pacing: Pacing
    claimed: Sequence[Notice]
    message: Message
    left_out: set[str]


def _sent(attempts: Sequence[_Attempt], at: datetime) -> list[NotSent | None]:
    """Send them at once, so that a slow channel holds up no other; what went wrong with each."""
    if len(attempts) == 1:
        return [_failure(attempts[0], at)]
    with ThreadPoolExecutor(min(len(attempts), _AT_ONCE), thread_name_prefix="guardrail-notify") as pool:
        return [*pool.map(lambda attempt: _failure(attempt, at), attempts)]


def _failure(attempt: _Attempt, at: datetime) -> NotSent | None:
    try:
        attempt.sender.send(attempt.message, at)
    except NotSent as error:
        return error
    except Exception as error:  # noqa: BLE001 - a way of telling may raise anything, and its text may hold a password
        return NotSent(f"the channel failed ({type(error).__name__})")
    return None
