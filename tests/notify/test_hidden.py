"""What the policy hides is in no message, not even where a channel is told the arguments."""

from __future__ import annotations

from datetime import UTC, datetime

from hypothesis import HealthCheck, given, settings

from guardrail.notify import Configuration, Notifier
from guardrail.store import open_store
from guardrail.types import NoticeEvent
from tests.notify.receiving import Recorded, channel
from tests.redaction.planted import Planted, found_in, guard, planted


@settings(max_examples=40, deadline=None, suppress_health_check=[*HealthCheck])
@given(planted())
def test_hidden_values_are_in_no_message(one: Planted) -> None:
    store, told = open_store("memory://"), Recorded()
    everything = channel(arguments=True, events=frozenset(NoticeEvent), tenants=frozenset({"*"}))
    telling = Notifier(store, Configuration(channels=(everything,), url="https://g.example"), open=told)
    telling.look()
    guard(store, one).assess(one.step)
    telling.look()
    assert told.messages
    cores = [secret.core for secret in one.secrets]
    for _, message in told.messages:
        said = message.title + message.text + message.body(datetime.now(UTC)).decode()
        assert found_in(said, cores) == []
    store.close()
