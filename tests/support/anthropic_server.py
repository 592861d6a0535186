"""A server of Anthropic's Messages API in a thread: scripted, counting, strict about messages, faulty on demand.

    with AnthropicServer(lambda body, index: use("pay", amount=100)) as server:
        client = Anthropic(api_key="x", base_url=server.url)

``reply(body, index)`` gives the content blocks of one message (``index`` counts messages over all requests); ``use``,
``uses`` and ``say`` make them. Answers are JSON, or server-sent events in the published shapes where the body says
``stream``. Plans are told from samples by ``is_sample``: those are drawn at temperature 1.
"""

from __future__ import annotations

import itertools
import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self

from tests.support.openai_server import Fault

Body = dict[str, Any]
Block = dict[str, Any]
Reply = Callable[[Body, int], list[Block] | Body]
_KINDS = {400: "invalid_request_error", 401: "authentication_error", 429: "rate_limit_error", 529: "overloaded_error"}
_PIECE = 7
_ids = itertools.count()


def use(name: str, **arguments: Any) -> list[Block]:
    """A message with one tool_use block."""
    return uses((name, arguments))


def uses(*planned: tuple[Any, ...], text: str = "") -> list[Block]:
    """Several tool_use blocks (name, arguments, and an id where a test wants one), after words."""
    said = [{"type": "text", "text": text}] if text else []
    return said + [
        {"type": "tool_use", "id": one[2] if len(one) > 2 else "", "name": one[0], "input": one[1]} for one in planned
    ]


def say(text: str) -> list[Block]:
    """A message in words."""
    return [{"type": "text", "text": text}]


def think(text: str = "hm", signature: str = "signed") -> Block:
    """What a model thought, signed."""
    return {"type": "thinking", "thinking": text, "signature": signature}


def answered(body: Body) -> str | None:
    """What the newest message of a request says, where it answers tools and nobody speaks in it."""
    content = body["messages"][-1]["content"]
    if not isinstance(content, list) or any(one["type"] == "text" for one in content):
        return None
    results = [one for one in content if one["type"] == "tool_result"]
    return "\n".join(str(one["content"]) for one in results) if results else None


def until_answered(plan: list[Block] | Reply, then: str = "done") -> Reply:
    """Plans until a tool has answered, then ends; answers that tell to plan again are none."""

    def reply(body: Body, index: int) -> list[Block] | Body:
        said = answered(body)
        if said is not None and "plan the step again" not in said:
            return say(then)
        return plan(body, index) if callable(plan) else plan

    return reply


def is_sample(body: Body) -> bool:
    """Whether a request asks for a sample: the tests plan at another temperature."""
    return body.get("temperature") == 1.0


class AnthropicServer:
    """The server; a context manager. ``faults`` are used up one per request, before anything is answered."""

    input_tokens, cache_read, cache_written, output_tokens = 30, 15, 5, 7

    def __init__(self, reply: Reply | list[Block] | None = None) -> None:
        self._lock = threading.Lock()
        self._released = threading.Event()
        self.reset(reply)
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._thread = threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        self.url = f"http://127.0.0.1:{self._http.server_port}"

    def reset(
        self,
        reply: Reply | list[Block] | None = None,
        *,
        faults: list[Fault] | None = None,
        refuse: Callable[[Body], str | None] | None = None,
    ) -> None:
        """Behave like a new server at the same address."""
        with self._lock:
            self.reply: Reply = reply if callable(reply) else lambda _body, _index: reply or say("done")
            self.faults = list(faults or [])
            self.refuse = refuse
            self.requests: list[Body] = []
            self.headers: list[dict[str, str]] = []
            self.messages = 0

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._released.set()
        self._http.shutdown()
        self._http.server_close()
        self._thread.join(timeout=5)

    @property
    def prompt_tokens(self) -> int:
        """What the prompt of every request costs, whatever of it a cache has."""
        return self.input_tokens + self.cache_read + self.cache_written

    @property
    def drawn(self) -> list[Body]:
        """Bodies of the requests for samples."""
        return [body for body in self.requests if is_sample(body)]

    # the handler's side

    def arrived(self, body: Body, headers: dict[str, str]) -> Fault | None:
        with self._lock:
            self.requests.append(body)
            self.headers.append(headers)
            return self.faults.pop(0) if self.faults else None

    def hang(self) -> None:
        """Say nothing until the server closes."""
        self._released.wait()

    def refusal(self, path: str, body: Body) -> str | None:
        """Why the request is wrong, if it is."""
        if path.partition("?")[0] != "/v1/messages":
            return f"no such endpoint: {path}"
        if self.refuse is not None and (why := self.refuse(body)):
            return why
        thinks = body.get("thinking", {}).get("type") in ("enabled", "adaptive")
        if thinks and body.get("temperature", 1) != 1:
            return "`temperature` may only be set to 1 when thinking is enabled"
        missing = {"model", "max_tokens", "messages"} - body.keys()
        return f"{missing}: field required" if missing else wrong_messages(body["messages"], thinks=thinks)

    def message(self, body: Body) -> Body:
        """The answer to a correct request."""
        with self._lock:
            index, self.messages = self.messages, self.messages + 1
        given = self.reply(body, index)
        made: Body = given if isinstance(given, dict) else {"content": given}
        content = [dict(one) for one in made["content"]]
        for one in content:
            if one["type"] == "tool_use":
                one["id"] = one["id"] or f"toolu_{next(_ids)}"
        calls = any(one["type"] == "tool_use" for one in content)
        usage = {
            "input_tokens": self.input_tokens,
            "cache_read_input_tokens": self.cache_read,
            "cache_creation_input_tokens": self.cache_written,
            "output_tokens": self.output_tokens,
        }
        return {
            "id": f"msg_{next(_ids)}",
            "type": "message",
            "role": "assistant",
            "model": body["model"],
            "stop_reason": "tool_use" if calls else "end_turn",
            "stop_sequence": None,
            "usage": usage,
            **made,
            "content": content,
        }


def wrong_messages(messages: list[Body], *, thinks: bool = False) -> str | None:
    """What the API says against a conversation, if it does: every tool_use is answered by the very next message."""
    asked: list[str] = []
    for message in messages:
        content = message["content"] if isinstance(message["content"], list) else [{"type": "text"}]
        results = [one["tool_use_id"] for one in content if one["type"] == "tool_result"]
        if sorted(results) != sorted(asked):
            return f"`tool_use` ids were found without `tool_result` blocks immediately after: {asked} {results}"
        asked = [one["id"] for one in content if one["type"] == "tool_use"]
        if asked and thinks and content[0]["type"] != "thinking":
            return "Expected `thinking`, but found `tool_use`"
    return f"`tool_use` ids were found without `tool_result` blocks: {asked}" if asked else None


def events(message: Body) -> Iterator[Body]:
    """A message as the events of a stream."""
    usage = {**message["usage"], "output_tokens": 1}
    yield {"type": "message_start", "message": {**message, "content": [], "stop_reason": None, "usage": usage}}
    yield {"type": "ping"}
    for index, block in enumerate(message["content"]):
        start, deltas = _parts(block)
        yield {"type": "content_block_start", "index": index, "content_block": start}
        for delta in deltas:
            yield {"type": "content_block_delta", "index": index, "delta": delta}
        yield {"type": "content_block_stop", "index": index}
    ended = {"stop_reason": message["stop_reason"], "stop_sequence": message["stop_sequence"]}
    yield {"type": "message_delta", "delta": ended, "usage": {"output_tokens": message["usage"]["output_tokens"]}}
    yield {"type": "message_stop"}


def _parts(block: Block) -> tuple[Block, list[Body]]:
    match block["type"]:
        case "text":
            return {"type": "text", "text": ""}, [{"type": "text_delta", "text": one} for one in _cut(block["text"])]
        case "thinking":
            said: list[Body] = [{"type": "thinking_delta", "thinking": one} for one in _cut(block["thinking"])]
            signed = {"type": "signature_delta", "signature": block["signature"]}
            return {"type": "thinking", "thinking": "", "signature": ""}, [*said, signed]
        case "tool_use":
            given = block["input"]
            written = given if isinstance(given, str) else json.dumps(given)
            # no arguments are no text at all
            pieces = [""] if given == {} else ["", *_cut(written)]
            return {**block, "input": {}}, [{"type": "input_json_delta", "partial_json": one} for one in pieces]
    return block, []


def _cut(text: str) -> list[str]:
    return [text[at : at + _PIECE] for at in range(0, len(text), _PIECE)]


def _handler(server: AnthropicServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's name
            pass

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["content-length"])))
            try:
                self._answer(body, server.arrived(body, dict(self.headers.items())))
            except (BrokenPipeError, ConnectionResetError):
                self.close_connection = True

        def _answer(self, body: Body, fault: Fault | None) -> None:
            if fault is not None and fault.hang:
                server.hang()
                return
            if fault is not None and (fault.status or fault.body is not None):
                self._send(fault.status or 200, fault.body or _error(fault.status, fault.message), fault.headers)
                return
            if (why := server.refusal(self.path, body)) is not None:
                self._send(400, _error(400, why))
                return
            message = server.message(body)
            if body.get("stream"):
                lines = [f"event: {one['type']}\ndata: {json.dumps(one)}\n\n" for one in events(message)]
                self._send(200, "".join(lines).encode(), {"content-type": "text/event-stream"})
            else:
                self._send(200, message)

        def _send(self, status: int, data: Body | bytes, headers: dict[str, str] | None = None) -> None:
            raw = data if isinstance(data, bytes) else json.dumps(data).encode()
            self.send_response(status)
            given = {"content-type": "application/json", "request-id": f"req_{next(_ids)}", **(headers or {})}
            # no keep-alive: event loops that end with a test leave no open connection behind
            for name, value in {**given, "content-length": str(len(raw)), "connection": "close"}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(raw)

    return Handler


def _error(status: int, message: str) -> Body:
    return {"type": "error", "error": {"type": _KINDS.get(status, "api_error"), "message": message}}
