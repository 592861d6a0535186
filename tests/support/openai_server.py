"""An OpenAI-compatible chat server in a thread: scripted, counting, strict about messages, faulty on demand.

    with OpenAIServer(lambda body, index: call("pay", amount=100)) as server:
        model = ChatOpenAI(model="m", api_key="x", base_url=server.url)

``reply(body, index)`` gives the message of one choice (``index`` counts choices over all requests), or the
list of messages of all choices of the request. ``call``, ``calls`` and ``say`` make messages. The keys
``finish_reason`` and ``logprobs`` of a message are moved to its choice. A path that ends in ``/responses`` is
answered as the Responses API would; every other POST is a chat completion, ``GET .../models`` a list of models.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Literal, Self

from tests.support.openai_wire import Body, Message, as_response, chunks, events, ids, tokens, wrong_messages

__all__ = [
    "Body",
    "Fault",
    "Message",
    "OpenAIServer",
    "agent",
    "call",
    "calls",
    "cut",
    "in_turn",
    "rate_limited",
    "say",
    "wrong_messages",
]

Reply = Callable[[Body, int], Message | list[Message]]


def calls(*planned: tuple[str, dict[str, Any] | str], content: str | None = None, **extra: Any) -> Message:
    """A message with several tool calls; a string in place of arguments is sent as it is (broken JSON)."""
    return {
        "role": "assistant",
        "content": content,
        "tool_calls": [
            {
                "id": f"call_{next(ids)}",
                "type": "function",
                "function": {"name": name, "arguments": args if isinstance(args, str) else json.dumps(args)},
            }
            for name, args in planned
        ],
        **extra,
    }


def call(name: str, **arguments: Any) -> Message:
    """A message with one tool call."""
    return calls((name, arguments))


def say(text: str, **extra: Any) -> Message:
    """A message in words."""
    return {"role": "assistant", "content": text, **extra}


def cut(name: str, arguments: str) -> Message:
    """A tool call cut by the token limit in the middle of its arguments."""
    return calls((name, arguments), finish_reason="length")


def in_turn(*messages: Message) -> Reply:
    """The messages one after the other, the last one again and again."""
    return lambda _body, index: messages[min(index, len(messages) - 1)]


def agent(first: Message | Reply, then: str = "done") -> Reply:
    """Plans ``first`` until a tool has answered, then says ``then``."""

    def reply(body: Body, index: int) -> Message | list[Message]:
        if body["messages"][-1]["role"] == "tool":
            return say(then)
        return first(body, index) if callable(first) else _fresh(first)

    return reply


@dataclass(frozen=True, kw_only=True)
class Fault:
    """What the next request meets instead of an answer: a status, a wait before it, or silence."""

    status: int = 0
    message: str = "fault"
    headers: dict[str, str] = field(default_factory=dict)
    delay: float = 0.0
    hang: bool = False
    body: bytes | None = None


def rate_limited(retry_after: str = "0") -> Fault:
    """429 with Retry-After, in seconds."""
    return Fault(status=429, message="Rate limit reached", headers={"retry-after": retry_after})


class OpenAIServer:
    """The server; a context manager.

    ``n``: "honour", "ignore" (one choice, whatever was asked), or the largest number accepted (else 400).
    ``usage``: "all" choices, "one" (of a single choice, whatever was sent), "each" (the prompt, too, once for every
    choice), "counted" (as many completion tokens as there are log-probabilities), or "none".
    ``logprobs``: "all", "text" (none for tool calls, like several providers), or "none".
    ``key``: the only API key that is taken. ``models``: names of the only models there are. ``sent``: headers of
    every answer.
    ``echo``: an equal request gets the same response again, id included, as from a cache.
    ``faults``: used up one per request, before anything is answered. ``refuse`` may name a 400 for a body.
    ``delay``: seconds before every answer. A prompt always costs 50 tokens and a choice 7.
    """

    prompt_tokens = 50
    completion_tokens = 7

    def __init__(self, reply: Reply | Message | None = None, **options: Any) -> None:
        self._lock = threading.Lock()
        self._released = threading.Event()
        self.reset(reply, **options)
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._thread = threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        self.url = f"http://127.0.0.1:{self._http.server_port}/v1"

    def reset(
        self,
        reply: Reply | Message | None = None,
        *,
        n: int | Literal["honour", "ignore"] = "honour",
        usage: Literal["all", "one", "each", "counted", "none"] = "all",
        logprobs: Literal["all", "text", "none"] = "all",
        echo: bool = False,
        delay: float = 0.0,
        faults: list[Fault] | None = None,
        refuse: Callable[[Body], str | None] | None = None,
        key: str | None = None,
        models: list[str] | None = None,
        sent: dict[str, str] | None = None,
    ) -> None:
        """Behave like a new server at the same address, which clients of that address are cached for."""
        with self._lock:
            self._released.set()
            self._released = threading.Event()
            self.reply: Reply = reply if callable(reply) else _always(reply or say("done"))
            self.n, self.usage, self.logprobs, self.echo, self.delay = n, usage, logprobs, echo, delay
            self.faults = list(faults or [])
            self.refuse = refuse
            self.key, self.models, self.sent = key, models, dict(sent or {})
            self.paths: list[str] = []
            self.requests: list[Body] = []
            self.headers: list[dict[str, str]] = []
            self.statuses: list[int] = []
            self.choices = 0
            self.most_at_once = 0
            self._at_once: set[int] = set()
            self._echoes: dict[str, Body] = {}

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
    def drawn(self) -> list[Body]:
        """Bodies of the requests at temperature 1: the resamples of a plan made at another one."""
        return [body for body in self.requests if body.get("temperature") == 1.0]

    def clear(self) -> None:
        """Forget the requests seen so far; choices are counted on."""
        with self._lock:
            self.requests.clear()
            self.paths.clear()
            self.headers.clear()
            self.statuses.clear()
            self.most_at_once = 0

    # the handler's side

    def arrived(self, path: str, body: Body, headers: dict[str, str]) -> Fault | None:
        with self._lock:
            self.paths.append(path)
            self.requests.append(body)
            self.headers.append(headers)
            self._at_once.add(threading.get_ident())
            self.most_at_once = max(self.most_at_once, len(self._at_once))
            return self.faults.pop(0) if self.faults else None

    def answering(self, status: int) -> None:
        with self._lock:
            self.statuses.append(status)

    def left(self) -> None:
        with self._lock:
            self._at_once.discard(threading.get_ident())

    def wait(self, seconds: float | None) -> None:
        """Wait, or until the server is reset or closes."""
        self._released.wait(seconds)

    def denial(self, body: Body, headers: dict[str, str]) -> tuple[int, str] | None:
        """Why the caller or the model is not known, with the status."""
        given = {name.lower(): value for name, value in headers.items()}
        shown = (given.get("authorization", "").removeprefix("Bearer "), given.get("api-key"))
        if self.key is not None and self.key not in shown:
            return 401, f"Incorrect API key provided: {shown[0]}."
        if self.models is not None and body.get("model") not in self.models:
            return 404, f"The model '{body.get('model')}' does not exist."
        return None

    def refusal(self, path: str, body: Body) -> str | None:
        """Why the request is wrong, if it is."""
        if self.refuse is not None and (message := self.refuse(body)):
            return message
        n = body.get("n") or 1
        if isinstance(self.n, int) and n > self.n:
            return f"Invalid value for 'n': {n} is greater than the maximum of {self.n}."
        return None if path.endswith("/responses") else wrong_messages(body.get("messages"))

    def response(self, path: str, body: Body) -> Body:
        """The response to a correct request."""
        make = self._answer if path.endswith("/responses") else self._response
        if not self.echo:
            return make(body)
        key = json.dumps({k: v for k, v in body.items() if k not in ("stream", "stream_options")}, sort_keys=True)
        with self._lock:
            seen = self._echoes.get(key)
        if seen is None:
            seen = make(body)
            with self._lock:
                seen = self._echoes.setdefault(key, seen)
        return seen

    def _answer(self, body: Body) -> Body:
        return as_response(body, self._response(body), logprobs=self.logprobs)

    def _response(self, body: Body) -> Body:
        asked = 1 if self.n == "ignore" else body.get("n") or 1
        with self._lock:
            first = self.choices
            answer = self.reply(body, first)
            messages = [_fresh(m) for m in answer] if isinstance(answer, list) else [_fresh(answer)]
            if not isinstance(answer, list):
                messages += [_fresh(self.reply(body, first + k)) for k in range(1, asked)]
            self.choices += len(messages)
        response: Body = {
            "id": f"chatcmpl-{next(ids)}",
            "object": "chat.completion",
            "created": 1,
            "model": body.get("model", "m"),
            "choices": [self._choice(body, k, message) for k, message in enumerate(messages)],
        }
        if self.usage != "none":
            paid = self.completion_tokens * (1 if self.usage == "one" else len(messages))
            if self.usage == "counted":
                paid = sum(len(tokens(choice["message"], 0)) for choice in response["choices"])
            prompt = self.prompt_tokens * (len(messages) if self.usage == "each" else 1)
            response["usage"] = {"prompt_tokens": prompt, "completion_tokens": paid, "total_tokens": prompt + paid}
        return response

    def _choice(self, body: Body, index: int, message: Message) -> Body:
        planned = message.get("tool_calls")
        finish = message.pop("finish_reason", "tool_calls" if planned else "stop")
        choice: Body = {"index": index, "message": message, "finish_reason": finish, "logprobs": None}
        own = message.get("logprobs")
        if own is not None and not body.get("include"):
            choice["logprobs"] = message.pop("logprobs")
        elif body.get("logprobs") and (self.logprobs == "all" or (self.logprobs == "text" and not planned)):
            choice["logprobs"] = {"content": tokens(message, body.get("top_logprobs") or 0), "refusal": None}
        return choice


def _always(message: Message) -> Reply:
    return lambda _body, _index: message


def _fresh(message: Message) -> Message:
    """A copy with call ids of its own: a script may give the same message twice. Ids of other forms stay."""
    copy: Message = json.loads(json.dumps(message))
    for planned in copy.get("tool_calls") or []:
        if not planned["id"].startswith("call_"):
            continue
        planned["id"] = f"call_{next(ids)}"
    return copy


def _handler(server: OpenAIServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's name
            pass

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["content-length"])))
            try:
                self._answer(body, server.arrived(self.path, body, dict(self.headers.items())))
            except (BrokenPipeError, ConnectionResetError):
                self.close_connection = True
            finally:
                server.left()

        def do_GET(self) -> None:
            if (
                denied := server.denial({"model": (server.models or ["m"])[0]}, dict(self.headers.items()))
            ) is not None:
                self._send(denied[0], {"error": {"message": denied[1], "type": "invalid_request_error"}})
                return
            names = server.models if server.models is not None else ["m"]
            data = [{"id": name, "object": "model", "created": 1, "owned_by": "tests"} for name in names]
            self._send(200, {"object": "list", "data": data})

        def _answer(self, body: Body, fault: Fault | None) -> None:
            if fault is not None:
                server.wait(None if fault.hang else fault.delay)
                if fault.hang:
                    return
                if fault.status or fault.body is not None:
                    error = {"error": {"message": fault.message, "type": "fault", "code": None, "param": None}}
                    self._send(fault.status or 200, error if fault.body is None else fault.body, fault.headers)
                    return
            server.wait(server.delay)
            if (denied := server.denial(body, dict(self.headers.items()))) is not None:
                self._send(denied[0], {"error": {"message": denied[1], "type": "invalid_request_error"}})
                return
            if (message := server.refusal(path := self.path.partition("?")[0], body)) is not None:
                self._send(400, {"error": {"message": message, "type": "invalid_request_error"}})
                return
            response = server.response(path, body)
            if body.get("stream"):
                parts = events(response) if path.endswith("/responses") else chunks(body, response)
                lines = [json.dumps(part) for part in parts] + ["[DONE]"]
                self._send(200, "".join(f"data: {line}\n\n" for line in lines).encode(), stream=True)
            else:
                self._send(200, response)

        def _send(
            self, status: int, data: Body | bytes, headers: dict[str, str] | None = None, *, stream: bool = False
        ) -> None:
            server.answering(status)
            raw = data if isinstance(data, bytes) else json.dumps(data).encode()
            self.send_response(status)
            self.send_header("content-type", "text/event-stream" if stream else "application/json")
            self.send_header("content-length", str(len(raw)))
            # no keep-alive: event loops that end with a test leave no open connection behind
            self.send_header("connection", "close")
            for name, value in {**server.sent, **(headers or {})}.items():
                self.send_header(name, value)
            self.end_headers()
            server.left()  # before the client can know that it may send the next one
            self.wfile.write(raw)

    return Handler
