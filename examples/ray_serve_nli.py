"""An NLI model on Ray Serve, for those who outgrow one process: many replicas, batches made across requests.

    pip install "ray[serve]" torch transformers
    NLI_MODEL=cross-encoder/nli-deberta-v3-small serve run examples.ray_serve_nli:app

It speaks the form of text-embeddings-inference, so that a guard needs only the address::

    from guardrail_transformers import ServedNLIEntailment

    entailment = ServedNLIEntailment("http://localhost:8000")

``POST /predict`` takes ``{"inputs": [[premise, hypothesis], ...]}`` and answers with a list of ``{"label", "score"}``
for each pair, likeliest first; ``GET /info`` tells the most pairs of one request. Pairs of all requests that wait at
the same time go through the model together. A pair too long for the model gets status 413: nothing is cut.
"""

from __future__ import annotations

import asyncio
import os

from ray import serve
from starlette.requests import Request
from starlette.responses import JSONResponse

MODEL = os.environ.get("NLI_MODEL", "cross-encoder/nli-deberta-v3-small")
MAX_PAIRS = 128  # of one request
MAX_BATCH = 64  # of one forward pass
WAIT_SECONDS = 0.005


@serve.deployment(max_ongoing_requests=64)
class NLI:
    def __init__(self) -> None:
        from transformers import AutoModelForSequenceClassification, AutoTokenizer

        self.tokenizer = AutoTokenizer.from_pretrained(MODEL)
        self.model = AutoModelForSequenceClassification.from_pretrained(MODEL).float().eval()
        self.labels = self.model.config.id2label
        self.longest = min(self.tokenizer.model_max_length, self.model.config.max_position_embeddings)

    async def __call__(self, request: Request) -> JSONResponse:
        if request.method == "GET" and request.url.path == "/info":
            return JSONResponse({"model_id": MODEL, "max_client_batch_size": MAX_PAIRS})
        if request.method != "POST" or request.url.path != "/predict":
            return JSONResponse({"error": "no such path", "error_type": "Validation"}, 404)
        try:
            pairs = [(str(premise), str(hypothesis)) for premise, hypothesis in (await request.json())["inputs"]]
        except (ValueError, KeyError, TypeError):
            return JSONResponse({"error": "inputs must be a list of pairs", "error_type": "Validation"}, 422)
        if len(pairs) > MAX_PAIRS or any(self.length(pair) > self.longest for pair in pairs):
            return JSONResponse({"error": "too many pairs, or too many tokens", "error_type": "Validation"}, 413)
        return JSONResponse(await asyncio.gather(*map(self.predict, pairs)))

    def length(self, pair: tuple[str, str]) -> int:
        return len(self.tokenizer(*pair, truncation=False, verbose=False)["input_ids"])

    @serve.batch(max_batch_size=MAX_BATCH, batch_wait_timeout_s=WAIT_SECONDS)
    async def predict(self, pairs: list[tuple[str, str]]) -> list[list[dict[str, object]]]:
        return await asyncio.to_thread(self.forward, pairs)

    def forward(self, pairs: list[tuple[str, str]]) -> list[list[dict[str, object]]]:
        import torch

        premises, hypotheses = (list(side) for side in zip(*pairs, strict=True))
        encoded = self.tokenizer(premises, hypotheses, padding=True, truncation=False, return_tensors="pt")
        with torch.inference_mode():
            rows = self.model(**encoded).logits.float().softmax(dim=-1).tolist()
        return [
            sorted(({"label": self.labels[k], "score": score} for k, score in enumerate(row)), key=_score)
            for row in rows
        ]


def _score(prediction: dict[str, object]) -> float:
    return -float(str(prediction["score"]))


app = NLI.bind()
