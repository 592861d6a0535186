"""Tells people elsewhere that a call waits for them: signed webhooks, and chats and mail by apprise.

What is owed follows from the store's audit log and is kept there until it was sent, so that a crash loses none. A
message names the tier, the tool, a fixed reason and a link; arguments stay where they are.
"""

from __future__ import annotations

from guardrail.notify.channels import Channel, Configuration, Quiet, Webhook
from guardrail.notify.messages import Message
from guardrail.notify.model import notify_schema
from guardrail.notify.notifier import Notifier, Told, send_test
from guardrail.notify.reading import load, parse
from guardrail.notify.senders import NotSent, Sender, open_sender
from guardrail.notify.signing import TOLERANCE, new_secret, verify
from guardrail.notify.status import ChannelStatus, channels_status, revive

__all__ = [
    "TOLERANCE",
    "Channel",
    "ChannelStatus",
    "Configuration",
    "Message",
    "NotSent",
    "Notifier",
    "Quiet",
    "Sender",
    "Told",
    "Webhook",
    "channels_status",
    "load",
    "new_secret",
    "notify_schema",
    "open_sender",
    "parse",
    "revive",
    "send_test",
    "verify",
]
