"""Secrets planted wherever an agent, a model or a reviewer could put them, and steps that hold them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import Any

from hypothesis import strategies as st

from guardrail import Guard, Policy
from guardrail.errors import SamplingError
from guardrail.sampling import ScriptedSampler
from guardrail.store import Store
from guardrail.types import PlanningStep, Sample, SampleBatch, Token, ToolCall, ToolSpec, Turn

RULES: dict[str, Any] = {
    "redaction": {"paths": ["send.body", "send.to.*.iban", "send:/meta/ref~1no"]},
    "tools": [{"match": "send", "tier": "critical"}, {"match": "*", "tier": "critical"}],
}
SEND = ToolSpec(name="send", parameters={"type": "object", "properties": {"body": {}, "to": {}, "meta": {}}})

_numbers = count(10_000_000)
cores = st.integers(0, 16**10).map(lambda number: f"{number:010x}{next(_numbers)}Zq")
"""Letters and digits that no other text has: what must be found nowhere."""
around = st.text(st.sampled_from("ab'\"\\\n\t é<&%{}[]()ß😀\u200b,:;="), max_size=4)


@dataclass(frozen=True, kw_only=True)
class Secret:
    """A value, and the part of it that is looked for."""

    value: str
    core: str


@st.composite
def odd_values(draw: st.DrawFn) -> Secret:
    """Anything, which only its place makes a secret."""
    core = draw(cores)
    return Secret(value=draw(around) + core + draw(around), core=core)


@st.composite
def shaped(draw: st.DrawFn) -> Secret:
    """Something that looks like a secret wherever it stands."""
    core = draw(cores)
    long = core + "A1b2C3d4E5f6G7h8I9j0K1l2M3n4O5"
    return Secret(
        value=draw(
            st.sampled_from(
                [
                    f"ghp_{long[:36]}",
                    f"github_pat_{long}",
                    f"sk-ant-api03-{long}",
                    f"sk-proj-{long}",
                    f"xoxb-1-{long}",
                    f"sk_live_{long}",
                    f"eyJhbGciOiJI.{long}.{long}",
                    f"Bearer {long}",
                    f"Authorization: Basic {long}",
                    f"postgresql://app:{core}@db:5432/x",
                    f"password={core}",
                    f'"api_key": "{core}"',
                    f"client_secret: '{core}'",
                    f"AccountKey={long}==",
                    f"-----BEGIN RSA PRIVATE KEY-----\n{long}\n-----END RSA PRIVATE KEY-----",
                    f"glpat-{long}",
                    f"hf_{long}",
                    f"AWS_SECRET_ACCESS_KEY={long}",
                ]
            )
        ),
        core=core,
    )


secrets = st.one_of(odd_values(), shaped())


@dataclass(frozen=True, kw_only=True)
class Planted:
    """A step, its samples, and the secrets in them."""

    step: PlanningStep = field(repr=False)
    samples: tuple[Sample, ...] = field(repr=False)
    secrets: tuple[Secret, ...]
    fails: bool
    """Whether the samples cannot be drawn."""

    @property
    def cores(self) -> list[str]:
        return [secret.core for secret in self.secrets]


@st.composite
def arguments(draw: st.DrawFn, found: list[Secret]) -> dict[str, Any]:
    """Arguments with secrets by path, by name, by shape, in keys, at any depth."""

    def placed(kind: st.SearchStrategy[Secret]) -> str:
        secret = draw(kind)
        found.append(secret)
        return secret.value

    places = draw(
        st.sets(st.sampled_from(["body", "deep", "iban", "pointer", "name", "shape", "key", "top", "list"]), min_size=1)
    )
    made: dict[str, Any] = {"subject": draw(st.text(max_size=5))}
    if "body" in places:
        made["Body"] = draw(
            st.sampled_from([lambda: placed(secrets), lambda: {"a": [placed(secrets)], "b": placed(secrets)}])
        )()
    if "iban" in places:
        made["to"] = [{"iban": placed(secrets), "name": "bob"}, {"iban": [placed(secrets)]}]
    if "pointer" in places:
        made["meta"] = {"ref/no": placed(secrets)}
    if "deep" in places:
        made["config"] = {"db": [{"user": "u", "dbPassword": placed(secrets)}]}
    if "name" in places:
        made[draw(st.sampled_from(["password", "API-Key", "client_secret", "token", "authToken"]))] = placed(secrets)
    if "shape" in places:
        made["text"] = f"please use {placed(shaped())} for it"
    if "key" in places:
        made["headers"] = {placed(shaped()): 1, "x": 2}
    if "top" in places:
        made[placed(shaped())] = draw(st.text(max_size=3))
    if "list" in places:
        made["items"] = ["a", placed(shaped()), {"b": [placed(shaped())]}]
    return made


def _tokens(draw: st.DrawFn, text: str) -> tuple[Token, ...]:
    size = draw(st.integers(1, 9))
    pieces = [text[start : start + size] for start in range(0, len(text), size)]
    return tuple(Token(text=piece, logprob=-0.5, top=((piece, -0.5), ("other", -2.0))) for piece in pieces)


@st.composite
def planted(draw: st.DrawFn) -> Planted:
    """A whole step."""
    found: list[Secret] = []
    planned = draw(arguments(found))
    call = ToolCall(name="send", arguments=planned, id="c1")
    samples = []
    for _ in range(8):
        other = draw(st.sampled_from([planned, {**planned, "subject": "other"}]))
        written = json.dumps({"name": "send", "arguments": other}, ensure_ascii=draw(st.booleans()))
        text = draw(st.sampled_from(["", f"I call it with {planned!r}", f"so: {json.dumps(planned)}"]))
        tokens = _tokens(draw, written) if draw(st.booleans()) else None
        samples.append(Sample(calls=(ToolCall(name="send", arguments=other),), text=text, tokens=tokens))
    extra: list[Secret] = []
    fails = draw(st.booleans())
    if not fails and draw(st.booleans()):
        mine = draw(arguments(extra))
        samples[0] = Sample(calls=(ToolCall(name="send", arguments=mine),), text=f"{mine!r}")
    said = draw(shaped())
    values = [secret.value for secret in (*found, *extra)]
    conversation = (
        Turn(role="user", text=f"do it with {said.value} and {' and '.join(values)}"),
        Turn(role="assistant", text=json.dumps({"call": "send", "arguments": planned}, ensure_ascii=False)),
        Turn(role="tool", text=f"error: cannot send {planned!r}"),
    )
    written = json.dumps({"name": "send", "arguments": planned})
    step = PlanningStep(
        id="m1",
        planned=Sample(calls=(call,), tokens=_tokens(draw, written)),
        tools=(SEND,),
        thread_id="t1",
        request={"messages": []},
        conversation=conversation,
    )
    return Planted(step=step, samples=tuple(samples), secrets=(*found, *extra, said), fails=fails)


def guard(store: Store, one: Planted, *, rules: dict[str, Any] | None = None) -> Guard:
    """A guard whose sampler gives these samples, or fails and tells all it knows."""
    left: Iterator[Sample] = iter(one.samples)

    def draw(_: PlanningStep, n: int) -> SampleBatch:
        if one.fails:
            raise SamplingError(f"no answer to {[secret.value for secret in one.secrets]}")
        return SampleBatch(samples=tuple(next(left) for _ in range(n)))

    return Guard(Policy.parse(rules or RULES), ScriptedSampler(draw), store)


def found_in(text: str | bytes, cores: Sequence[str]) -> list[str]:
    """The secrets that stand in a text, in whatever case."""
    lowered = (text.decode("latin-1") if isinstance(text, bytes) else text).lower()
    return [core for core in cores if core.lower() in lowered]
