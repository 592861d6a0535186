"""Signed webhooks: one POST, to the address that was named and to no other, within a bounded time."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from guardrail.errors import MissingExtra
from guardrail.notify import signing
from guardrail.notify.masking import hide
from guardrail.notify.messages import Message
from guardrail.notify.senders import SECONDS, NotSent
from guardrail.version import __version__

_GONE: Final = 410
_LONGEST_WAIT: Final = 3600.0


class WebhookSender:
    """Sends to one address. TLS is verified, redirects are not followed, and of an answer only the status is read."""

    def __init__(self, url: str, keys: Sequence[bytes], *, seconds: float = SECONDS, verify: Any = True) -> None:
        try:
            import httpx
        except ImportError as error:
            raise MissingExtra("a webhook", "notify") from error
        hide(url)
        self._httpx = httpx
        self._url = url
        self._keys = keys
        self._seconds = seconds
        self._verify = verify

    def send(self, message: Message, at: datetime) -> None:
        body = message.body(at)
        signed = signing.headers(message.id, body, self._keys, at=at.timestamp())
        try:
            status, after = asyncio.run(self._post(body, signed))
        except (self._httpx.HTTPError, self._httpx.InvalidURL, OSError, ValueError) as error:
            raise NotSent(f"the address could not be reached ({type(error).__name__})") from error
        if status == _GONE:
            raise NotSent("the address answered 410: it is gone", final=True)
        if 300 <= status < 400:
            raise NotSent(f"the address answered {status}: redirects are not followed, name the address itself")
        if not 200 <= status < 300:
            raise NotSent(f"the address answered {status}", after=after)

    async def _post(self, body: bytes, signed: dict[str, str]) -> tuple[int, float | None]:
        headers = {**signed, "content-type": "application/json", "user-agent": f"guardrail-middleware/{__version__}"}
        client = self._httpx.AsyncClient(follow_redirects=False, verify=self._verify, timeout=self._seconds)
        # one that answers a byte at a time would otherwise hold the channel for ever
        async with asyncio.timeout(self._seconds), client:
            request = client.build_request("POST", self._url, content=body, headers=headers)
            answer = await client.send(request, stream=True)
            try:
                return answer.status_code, _seconds(answer.headers.get("retry-after", ""))
            finally:
                await answer.aclose()


def _seconds(text: str) -> float | None:
    return min(float(text), _LONGEST_WAIT) if text.isascii() and text.isdigit() and len(text) < 10 else None
