"""A process that tells: ``python -m tests.notify.teller STORE HOOK [DIES]``, until its input ends.

DIES says where it ends itself as ``kill -9`` would: before a message is sent, or after it.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from datetime import datetime

from guardrail.notify import Channel, Configuration, Message, Notifier, Sender, Webhook, open_sender
from guardrail.store import open_store
from tests.notify.receiving import SECRET

LEASE = 1.0


class Dying:
    """Sends, and ends the process before or after it."""

    def __init__(self, sender: Sender, when: str) -> None:
        self._sender, self._when = sender, when

    def send(self, message: Message, at: datetime) -> None:
        if self._when != "before":
            self._sender.send(message, at)
        if self._when:
            os.kill(os.getpid(), signal.SIGKILL)


def main(url: str, hook: str, when: str = "") -> None:
    store = open_store(url)
    channel = Channel(name="ops", way=Webhook(url=hook, secrets="SECRETS"), burst=100, every=0.01)

    def opening(one: Channel) -> Sender:
        return Dying(open_sender(one, {"SECRETS": SECRET}), when)

    telling = Notifier(store, Configuration(channels=(channel,)), open=opening, lease=LEASE)
    ended = threading.Event()
    threading.Thread(target=lambda: (sys.stdin.read(), ended.set()), daemon=True).start()
    telling.look()
    print("ready", flush=True)
    while not ended.wait(0.01):
        telling.look()
    store.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
