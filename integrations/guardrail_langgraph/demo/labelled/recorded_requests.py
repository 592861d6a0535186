"""The recorded plans for the requests: one compressed file, a line a request."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterable, Mapping
from importlib.resources import files
from typing import Any

from guardrail_langgraph.demo.recording import FORMAT, Recording, from_data, to_data

FILE = "requests.jsonl.gz"
"""In the folder ``recordings``. The first line says how the rest was recorded."""
_DECIMALS = 3
_HEAD = ("model", "server", "date", "settings")


def load() -> dict[str, Recording]:
    """The shipped recordings by the text of their request, in the order of the stream."""
    packed = files("guardrail_langgraph.demo").joinpath("recordings", FILE).read_bytes()
    return unpack(gzip.decompress(packed).decode("utf-8"))


def unpack(text: str) -> dict[str, Recording]:
    """The recordings in the lines that ``line`` gave, after ``head``."""
    first, *rest = text.splitlines()
    head = json.loads(first)
    found = (from_data({**head, "steps": {}, **json.loads(one)}) for one in rest)
    return {recording.text: recording for recording in found}


def head(recording: Recording) -> str:
    """The first line: what is the same for all of them."""
    return _compact({"format": FORMAT, **{key: _plain(getattr(recording, key)) for key in _HEAD}})


def line(recording: Recording) -> str:
    """One recording."""
    data = to_data(recording)
    return _compact({"task": data["task"], "text": data["text"], "steps": _rounded(data["steps"])})


def pack(recordings: Iterable[Recording]) -> bytes:
    """The file's bytes, the same for the same recordings."""
    found = list(recordings)
    lines = [head(found[0]), *(line(recording) for recording in found)]
    return gzip.compress("".join(f"{one}\n" for one in lines).encode("utf-8"), 9, mtime=0)


def _plain(value: Any) -> Any:
    return dict(value) if isinstance(value, Mapping) else value


def _rounded(data: dict[str, Any]) -> dict[str, Any]:
    """The steps with log-probabilities to three decimals: amounts in calls stay as they are."""
    for step in data.values():
        for drawn in (step["plan"], *step["samples"]):
            drawn["logprobs"] = [round(one, _DECIMALS) for one in drawn["logprobs"]]
    return data


def _compact(data: object) -> str:
    return json.dumps(data, ensure_ascii=False, separators=(",", ":"))
