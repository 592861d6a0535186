"""Follow the queue as it changes."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Header
from starlette.requests import Request
from starlette.responses import Response

from guardrail.review import READ
from guardrail.web.api.asked import EventsQuery, Once
from guardrail.web.api.routing import READING, may_read, problems, room
from guardrail.web.house import house, need
from guardrail.web.streaming import EventStream

router = room("events", may_read)
_EVENT: dict[str, Any] = {
    "title": "Event",
    "description": "One event of the stream; `data` is JSON.",
    "type": "object",
    "properties": {
        "id": {"type": "string", "description": "The change mark, for Last-Event-ID."},
        "event": {"enum": ["hello", "review", "changed", "reset"]},
        "data": {"type": "string"},
    },
}
_STREAM: dict[int | str, dict[str, Any]] = {
    200: {"description": "Events, as they happen", "content": {"text/event-stream": {"schema": _EVENT}}}
}


@router.get(
    "/events",
    summary="Events as they happen",
    responses=READING | problems(429) | _STREAM,
    response_class=Response,
    dependencies=[Once],
)
async def events(
    request: Request,
    wanted: EventsQuery,
    last_event_id: Annotated[str | None, Header(max_length=20, description="The `id` of the last event seen.")] = None,
) -> Response:
    """Server-sent events: `review` (`id`, `what`, `state`, `tier`, `revision`), `changed` (`kind`), `reset` (something
    may have been missed: look at everything again), `hello`. Each has as its `id` a change mark; with it in
    Last-Event-ID, nothing is missed. They say what changed, never what is in it. The stream ends after some minutes:
    come back. Needs the scope `reviews:read`.
    """
    who, settings, live = need(request, READ, "follow reviews"), house(request).settings, house(request).live
    seen = (
        last_event_id if last_event_id is not None and last_event_id.isascii() and last_event_id.isdecimal() else None
    )
    since = wanted.since if seen is None else int(seen)
    subscription = await live.subscribe(who, since)
    return EventStream(live, subscription, heartbeat=settings.heartbeat_seconds, seconds=settings.stream_seconds)
