"""Short ways to write calls, samples and tools in these tests."""

from __future__ import annotations

from guardrail.clustering import compare_calls
from guardrail.types import Sample, SampleStatus, ToolCall, ToolSpec

PAY = ToolSpec(
    name="pay",
    parameters={
        "type": "object",
        "properties": {
            "to": {"type": "string", "description": "Account to pay into."},
            "amount": {"type": "number"},
            "memo": {"type": "string", "description": "What it is for."},
            "urgent": {"type": "boolean", "default": False},
        },
        "required": ["to", "amount"],
    },
)
MAIL = ToolSpec(
    name="mail",
    parameters={
        "type": "object",
        "properties": {"to": {"type": "string", "format": "email"}, "body": {"type": "string"}},
        "required": ["to", "body"],
    },
)
LOOK = ToolSpec(name="look", parameters={"type": "object", "properties": {"query": {"type": "string"}}})
TOOLS = (PAY, MAIL, LOOK)


def call(name, /, **arguments):
    return ToolCall(name=name, arguments=arguments)


def sample(*calls, text=""):
    return Sample(calls=calls, text=text)


def invalid():
    return Sample(status=SampleStatus.TRUNCATED)


def tool(required=(), name="act", **properties):
    return ToolSpec(name=name, parameters={"type": "object", "properties": properties, "required": list(required)})


def compared(schema, a, b, *, name="value", tool_name="act", required=False, **options):
    """Compares two values of one argument with that schema; the marker ``...`` leaves the argument out."""
    spec = tool((name,) if required else (), tool_name, **{name: schema})
    calls = [ToolCall(name=tool_name, arguments={} if value is ... else {name: value}) for value in (a, b)]
    there, back = (compare_calls(*pair, spec, **options) for pair in (calls, calls[::-1]))
    assert {one.argument for one in there.differences} == {one.argument for one in back.differences}
    return there


def same(schema, a, b, **options):
    return compared(schema, a, b, **options).equal()


def asked(schema, a, b, **options):
    """The texts that only a judge can tell apart."""
    return [(one.pair.a, one.pair.b) for one in compared(schema, a, b, **options).differences if one.pair]
