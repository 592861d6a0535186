"""The two resources of the SDK that plan calls, with the guard behind ``create`` and ``parse``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from guardrail.errors import ConfigError

Send = Callable[[Callable[..., Any], dict[str, Any]], Any]
_OTHER_DOORS = frozenset({"stream", "with_raw_response", "with_streaming_response", "connect"})


class Endpoint:
    """``chat.completions`` or ``responses``."""

    def __init__(self, resource: Any, send: Send, name: str) -> None:
        self._resource = resource
        self._send = send
        self._name = name

    def create(self, **request: Any) -> Any:
        """As the SDK's ``create``; what it plans is assessed.

        Raises:
            ConfigError: calls of this request could not be held.
        """
        return self._send(self._resource.create, request)

    def parse(self, **request: Any) -> Any:
        """As the SDK's ``parse``; what it plans is assessed."""
        return self._send(self._resource.parse, request)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        if name in _OTHER_DOORS:
            raise ConfigError(f"{self._name}.{name} would go past the guard: use create, with stream=True for a stream")
        return getattr(self._resource, name)


class Chat:
    """``client.chat``."""

    def __init__(self, resource: Any, send: Send) -> None:
        self.completions = Endpoint(resource.completions, send, "client.chat.completions")
