"""A local server of NLI predictions in the documented form of text-embeddings-inference, around a real model.

``POST /predict`` takes ``{"inputs": [[premise, hypothesis], ...], "truncate": false}`` and answers with one list of
``{"label", "score"}`` for each pair, likeliest first. ``GET /info`` tells the most pairs of a request. What is too
large or too long gets status 413, an overloaded model 429, as its documentation lists them.
"""

from __future__ import annotations

import json
import threading
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

import torch


@dataclass
class PredictServer:
    """Serves ``model``, which may be exchanged, and remembers what was asked."""

    tokenizer: Any
    model: Any
    max_client_batch_size: int = 32
    info: bool = True
    faults: list[int | bytes | float] = field(default_factory=list)
    """What the next requests get instead of an answer: a status, a body, or seconds of silence."""
    asked: list[list[list[str]]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)

    def __enter__(self) -> Self:
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                found = self.path == "/info" and outer.info
                self.answer(200 if found else 404, {"max_client_batch_size": outer.max_client_batch_size})

            def do_POST(self) -> None:
                request = json.loads(self.rfile.read(int(self.headers["content-length"])))
                outer.headers.append({name.lower(): value for name, value in self.headers.items()})
                outer.asked.append(request["inputs"])
                self.answer(*outer.predict(self.path, request))

            def answer(self, status: int, body: Any) -> None:
                content = body if isinstance(body, bytes) else json.dumps(body).encode()
                try:
                    self.send_response(status)
                    self.send_header("content-type", "application/json")
                    self.send_header("content-length", str(len(content)))
                    self.end_headers()
                    self.wfile.write(content)
                except OSError:
                    pass  # the client gave up

            def log_message(self, *_: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def predict(self, path: str, request: dict[str, Any]) -> tuple[int, Any]:
        if self.faults:
            fault = self.faults.pop(0)
            if isinstance(fault, int):
                return fault, {"error": "no", "error_type": "fault"}
            if isinstance(fault, bytes):
                return 200, fault
            time.sleep(fault)
        inputs = request["inputs"]
        if path != "/predict":
            return 404, {"error": "no such path"}
        if len(inputs) > self.max_client_batch_size:
            return 413, {"error": "batch size", "error_type": "Validation"}
        encoded = self.tokenizer(*(list(side) for side in zip(*inputs, strict=True)), padding=True, return_tensors="pt")
        if not request["truncate"] and encoded["input_ids"].shape[1] > self.model.config.max_position_embeddings:
            return 413, {"error": "must have less tokens", "error_type": "Validation"}
        with torch.inference_mode():
            rows = self.model(**encoded).logits.softmax(dim=-1).tolist()
        labels = self.model.config.id2label
        return 200, [
            sorted(({"label": labels[k], "score": score} for k, score in enumerate(row)), key=lambda one: -one["score"])
            for row in rows
        ]
