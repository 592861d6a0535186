"""Under which span a request from another process is traced."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

_CARRIED: Final = ("traceparent", "tracestate")


@contextmanager
def parent_of(params: Mapping[str, Any] | None) -> Iterator[None]:
    """Trace as part of the span that a request of the Model Context Protocol names in ``_meta``; else as without it.

    Nothing but the W3C trace context is read of it, and what is none changes nothing.
    """
    said = (params or {}).get("_meta")
    meta: Mapping[str, Any] = said if isinstance(said, Mapping) else {}
    given = {name: meta[name] for name in _CARRIED if isinstance(meta.get(name), str)}
    if "traceparent" not in given:
        yield
        return
    try:
        from opentelemetry import context
        from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
    except ImportError:
        yield
        return
    token = context.attach(TraceContextTextMapPropagator().extract(given))
    try:
        yield
    finally:
        context.detach(token)
