"""Comparators of somebody else: given to a policy or installed; what they decide, and what is wrong with some."""

from __future__ import annotations

import importlib
import logging
import re
import sys
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guardrail import Guard, Policy, comparing
from guardrail.clustering import compare_calls, explain_schema, group_samples
from guardrail.errors import ConfigError, PolicyError
from guardrail.sampling import ScriptedSampler
from guardrail.store import MemoryStore
from guardrail.types import PlanningStep, Route, Sample, ToolCall, ToolSpec

EXAMPLE = Path(__file__).parents[2] / "examples" / "plugin_comparator"
ORDER = ToolSpec(
    name="order",
    parameters={
        "type": "object",
        "properties": {
            "part": {"type": "string"},
            "count": {"type": "integer"},
            "parts": {"type": "array", "items": {"type": "string"}},
        },
    },
)
Install = Callable[..., None]


class Anycase:
    """Letter case does not count."""

    version = "1"

    def settle(self, a: str, b: str, about: Any) -> bool | None:
        return a.casefold() == b.casefold()


class Answering(Anycase):
    """Answers as it is told, and notes what it was asked."""

    def __init__(self, answer: Any, *, judged: bool = False) -> None:
        self.answer = answer
        self.judged = judged
        self.asked: list[tuple[str, str, str]] = []

    def settle(self, a: str, b: str, about: Any) -> bool | None:
        self.asked.append((a, b, about.name))
        return self.answer(a, b) if callable(self.answer) else self.answer


def call(**arguments: Any) -> ToolCall:
    return ToolCall(name="order", arguments=arguments)


def compared(comparator: Any, a: dict[str, Any], b: dict[str, Any], path: str = "part") -> Any:
    named = {path: comparing.own("my.own", comparator)}
    return compare_calls(call(**a), call(**b), ORDER, comparators=named)


def verdict(policy: Policy, *parts: str) -> Any:
    """Of the first part, sampled as the others."""
    samples = [Sample(calls=(call(part=part),)) for part in parts[1:]]
    guard = Guard(policy, ScriptedSampler(samples), MemoryStore(), curtail=False)
    step = PlanningStep(id="s", planned=Sample(calls=(call(part=parts[0]),)), tools=(ORDER,), model="m", request="r")
    (found,) = guard.assess(step).verdicts
    return found


def rules(name: str = "my.own", **more: Any) -> dict[str, Any]:
    return {"tools": [{"match": "order", "tier": "medium", "arguments": {"part": name}}], **more}


# given to a policy


def test_it_decides_what_is_the_same() -> None:
    parts = ("ab1", "AB1", "Ab1", "aB1", "ab1", "AB1")
    apart = Policy.parse({"tools": [{"match": "order", "tier": "medium", "arguments": {"part": "exact"}}]})
    assert verdict(apart, *parts).route is Route.RETRY
    assert verdict(Policy.parse(rules(), comparators={"my.own": Anycase()}), *parts).route is Route.EXECUTE
    assert verdict(Policy.parse(rules(), comparators={"my.own": Anycase}), *parts).route is Route.EXECUTE


def test_two_policies_may_have_different_ones_of_a_name() -> None:
    one = Policy.parse(rules(), comparators={"my.own": Answering(True)})
    other = Policy.parse(rules(), comparators={"my.own": Answering(False)})
    for _ in range(2):
        assert verdict(one, "a", "b", "c", "d", "e", "f").route is Route.EXECUTE
        assert verdict(other, "a", "b", "c", "d", "e", "f").route is Route.RETRY


def test_it_is_told_of_the_argument_and_asked_in_both_orders() -> None:
    mine = Answering(True)
    found = compared(mine, {"part": "x"}, {"part": "y"})
    assert found.equal()
    assert [(held.argument, held.comparator, held.because) for held in found.held] == [
        ("part", "my.own", "the policy names it")
    ]
    assert set(mine.asked) == {("x", "y", "part"), ("y", "x", "part")}


def test_it_holds_for_what_is_inside_and_for_numbers() -> None:
    assert compared(Anycase(), {"parts": ["a", "B"]}, {"parts": ["A", "b"]}, "parts").equal()
    assert not compared(Anycase(), {"parts": ["a", "b"]}, {"parts": ["b", "a"]}, "parts").equal()
    assert compared(Answering(True), {"count": 3}, {"count": 4}, "count").equal()
    assert not compared(Answering(False), {"count": 3}, {"count": 4}, "count").equal()


def test_samples_are_grouped_by_it() -> None:
    named = {"order": {"part": comparing.own("my.own", Anycase)}}
    samples = [Sample(calls=(call(part=part),)) for part in ("a", "A", "b")]
    groups = group_samples(samples, [ORDER], comparators=named).resolve({})
    assert [group.members for group in groups] == [(0, 1), (2,)]


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(lambda a, b: 1 / 0, id="raises"),
        pytest.param(lambda a, b: a < b, id="depends on the order"),
        pytest.param(1, id="no boolean"),
        pytest.param("yes", id="a text"),
    ],
)
@pytest.mark.parametrize("judged", [False, True])
def test_one_that_fails_holds_nothing_equal_and_is_told_once_without_values(
    answer: Any, judged: bool, caplog: pytest.LogCaptureFixture
) -> None:
    mine = Answering(answer, judged=judged)
    named = {"part": comparing.own("my.own", mine)}
    with caplog.at_level(logging.WARNING):
        for text in ("secret words", "secret terms"):
            found = compare_calls(call(part=text), call(part="another phrase"), ORDER, comparators=named)
            assert not found.equal()
            assert all(difference.pair is None for difference in found.differences), "no judge may say otherwise"
    (told,) = caplog.messages
    assert "'my.own'" in told
    assert "secret" not in told


def test_what_it_does_not_understand_is_different_or_left_to_the_judge() -> None:
    (apart,) = compared(Answering(None), {"part": "a word"}, {"part": "a term"}).differences
    assert apart.pair is None
    (asked,) = compared(Answering(None, judged=True), {"part": "a word"}, {"part": "a term"}).differences
    assert asked.pair is not None


@given(st.text(max_size=30), st.text(max_size=30))
def test_structure_that_holds_values_equal_does_not_ask_it(a: str, b: str) -> None:
    mine = Answering(False)
    equal = compared(mine, {"part": a}, {"part": b}).equal()
    assert equal is (compared(mine, {"part": b}, {"part": a}).equal())
    assert not equal or not mine.asked


# fingerprints


def test_its_version_is_in_the_policy_and_in_the_fingerprint() -> None:
    class Later(Anycase):
        version = "2"

    def policy(comparator: Any) -> Policy:
        return Policy.parse(rules(), comparators={"my.own": comparator, "not.used": Answering(None)})

    one, same, other = policy(Anycase), policy(Anycase()), policy(Later)
    assert (one.version, one.comparing) == (same.version, same.comparing)
    assert one.version != other.version
    assert one.comparing != other.comparing


# what is wrong


@pytest.mark.parametrize(
    ("name", "comparator", "why"),
    [
        ("my.own", object(), "needs a 'version', a text, and a method settle"),
        ("my.own", type("NoVersion", (), {"settle": lambda *_: True}), "needs a 'version'"),
        ("my.own", type("Empty", (Anycase,), {"version": ""}), "needs a 'version'"),
        ("my own", Anycase(), "needs a name with a dot"),
        ("date", Anycase(), "needs a name with a dot"),
        ("number:0.5", Anycase(), "needs a name with a dot"),
    ],
)
def test_what_cannot_be_one_is_refused(name: str, comparator: Any, why: str) -> None:
    with pytest.raises(PolicyError, match=why):
        Policy.parse({"default": {"tier": "high"}}, comparators={name: comparator})


def test_a_name_that_nobody_has_is_refused_with_its_place(tmp_path: Path) -> None:
    file = tmp_path / "policy.yaml"
    file.write_text("tools:\n  - match: order\n    tier: low\n    arguments: {part: my.won}\n")
    with pytest.raises(PolicyError, match=r"policy.yaml.*tools\[0\].arguments.part.*'my.won'; did you mean 'my.own'"):
        Policy.load(file, comparators={"my.own": Anycase()})
    with pytest.raises(PolicyError, match="unknown comparator 'my own'"):
        Policy.parse(rules("my own"))
    with pytest.raises(ConfigError, match="use one of"):
        compare_calls(call(), call(), ORDER, comparators={"part": "my.won"})


def test_a_path_is_a_policy_file_for_whoever_takes_a_policy(tmp_path: Path) -> None:
    file = tmp_path / "policy.yaml"
    file.write_text("default: {tier: low}\n")
    assert Policy.of(str(file)) == Policy.of(file) == Policy.load(file)
    assert Policy.of(None) == Policy()
    assert Policy.of(found := Policy.parse({"default": {"tier": "low"}})) is found


def test_the_documented_one_runs() -> None:
    text = (EXAMPLE.parents[1] / "docs" / "meaning.md").read_text("utf-8")
    names: dict[str, Any] = {}
    for block in re.findall(r"```python\n(.*?)```", text, flags=re.DOTALL):
        exec(compile(block, "docs/meaning.md", "exec"), names)
    assert verdict(names["policy"], "AB-12", "ab12", "ab-12", "AB12", "AB-12", "ab12").route is Route.EXECUTE
    (entry,) = re.findall(r"```toml\n(.*?)```", text, flags=re.DOTALL)
    ((group, named),) = tomllib.loads(entry)["project"]["entry-points"].items()
    assert (group, list(named)) == (comparing.GROUP, ["acme.part_number"])


# installed


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Install]:
    """Installs a distribution with entry points, and the source of a module, for the time of a test."""

    def forget() -> None:
        comparing._registered.cache_clear()
        comparing.plugin.cache_clear()
        importlib.invalidate_caches()

    def installed(name: str, entries: dict[str, str], **modules: str) -> None:
        folder = tmp_path / name
        metadata = folder / f"{name.replace('-', '_')}-1.0.dist-info"
        metadata.mkdir(parents=True)
        (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        lines = [f"{entry} = {value}" for entry, value in entries.items()]
        (metadata / "entry_points.txt").write_text("\n".join(["[guardrail.comparators]", *lines, ""]))
        for module, source in modules.items():
            (folder / f"{module}.py").write_text(source)
            monkeypatch.delitem(sys.modules, module, raising=False)
        monkeypatch.syspath_prepend(str(folder))
        forget()

    yield installed
    monkeypatch.undo()
    forget()


def test_the_example_is_a_package_whose_name_any_policy_may_use(install: Install) -> None:
    project = tomllib.loads((EXAMPLE / "pyproject.toml").read_text())["project"]
    source = (EXAMPLE / "part_number.py").read_text()
    install(project["name"], project["entry-points"]["guardrail.comparators"], part_number=source)
    policy = Policy.parse(rules("acme.part_number"))
    assert verdict(policy, "AB-0012", "ab12", "AB 12", "ab-012", "AB12", "AB-0012").route is Route.EXECUTE
    assert verdict(policy, "AB-0012", "ab13", "AB 13", "ab-012", "AB12", "AB-0012").route is Route.RETRY
    assert verdict(policy, "AB-0012", *["no part"] * 5).route is Route.RETRY
    part = next(one for one in explain_schema(ORDER, {"part": "acme.part_number"}) if one.path == "part")
    assert (part.comparator, part.because) == ("acme.part_number", "the policy names it")


@pytest.mark.parametrize(
    ("source", "why"),
    [
        ("raise OSError('no')", "cannot be loaded: install broken again"),
        ("class Mine: pass", "needs a 'version'"),
    ],
)
def test_an_installed_one_that_cannot_be_used_is_an_error_where_it_is_named(
    install: Install, source: str, why: str
) -> None:
    install("broken", {"my.own": "broken_one:Mine"}, broken_one=source)
    Policy.parse({"default": {"tier": "low"}})
    with pytest.raises(PolicyError, match=why):
        Policy.parse(rules())
    assert verdict(Policy.parse(rules(), comparators={"my.own": Anycase()}), *"aAAAAA").route is Route.EXECUTE


def test_two_packages_cannot_share_a_name_and_none_takes_one_of_this_package(install: Install) -> None:
    install("one", {"my.own": "one_of:Mine", "exact": "one_of:Mine"}, one_of="class Mine: pass")
    install("two", {"my.own": "two_of:Mine"}, two_of="class Mine: pass")
    with pytest.raises(PolicyError, match="registered by one and by two"):
        Policy.parse(rules())
    assert verdict(Policy.parse(rules("exact")), *"aAAAAA").route is Route.RETRY
