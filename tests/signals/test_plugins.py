"""Signals of other packages: installed, found by name, measured, named in a policy; and what is wrong with some."""

from __future__ import annotations

import importlib
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from guardrail import Guard, Policy, catalogue
from guardrail.errors import ConfigError, PolicyError
from guardrail.sampling import ScriptedSampler
from guardrail.signals import Evidence, Registry
from guardrail.store import MemoryStore
from guardrail.types import PlanningStep, Route, Sample, ToolCall, ToolSpec, Turn

EXAMPLE = Path(__file__).parents[2] / "examples" / "plugin_signal"
NAME = "values_in_conversation"

Install = Callable[..., None]


def forget() -> None:
    catalogue._registered.cache_clear()
    catalogue.plugin.cache_clear()
    importlib.invalidate_caches()


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Install]:
    """Installs a distribution with entry points, and the source of a module, for the time of a test."""

    def installed(name: str, entries: dict[str, str], **modules: str) -> None:
        folder = tmp_path / name
        metadata = folder / f"{name.replace('-', '_')}-1.0.dist-info"
        metadata.mkdir(parents=True)
        (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        lines = [f"{entry} = {value}" for entry, value in entries.items()]
        (metadata / "entry_points.txt").write_text("\n".join(["[guardrail.signals]", *lines, ""]))
        for module, source in modules.items():
            (folder / f"{module}.py").write_text(source)
            monkeypatch.delitem(sys.modules, module, raising=False)
        monkeypatch.syspath_prepend(str(folder))
        forget()

    yield installed
    monkeypatch.undo()
    forget()


@pytest.fixture
def example(install: Install) -> None:
    project = tomllib.loads((EXAMPLE / "pyproject.toml").read_text())["project"]
    source = (EXAMPLE / f"{NAME}.py").read_text()
    install(project["name"], project["entry-points"]["guardrail.signals"], **{NAME: source})


PAY = ToolSpec(
    name="pay",
    parameters={
        "type": "object",
        "properties": {"unit": {"enum": ["EUR", "USD"]}, "note": {"type": "string", "default": "thanks"}},
    },
)


def evidence(*said: str, **arguments: Any) -> Evidence:
    planned = Sample(calls=(ToolCall(name="pay", arguments=arguments),))
    turns = tuple(Turn(role="user", text=text) for text in said)
    return Evidence(planned=planned, index=0, tool=PAY, conversation=turns)


@pytest.mark.usefixtures("example")
@pytest.mark.parametrize(
    ("said", "arguments", "share"),
    [
        (["Pay Ann  Lee 57 euros"], {"to": "ann lee", "amount": 57}, 1.0),
        (["Pay Ann Lee 57 euros"], {"to": "Bob", "amount": 57}, 0.5),
        (["Pay Annual 1570.5, 5.7"], {"to": "Ann", "amount": [57, 5, 0.5]}, 0.0),
        (["Pay", "57"], {"amount": 57.0, "unit": "EUR", "note": "thanks", "now": True, "memo": None, "x": ""}, 1.0),
    ],
)
def test_the_example_is_measured_by_its_name(said: list[str], arguments: dict[str, Any], share: float) -> None:
    (found,) = Registry().measure([NAME], evidence(*said, **arguments))
    assert (found.name, found.unit, found.value) == (NAME, "share", share)


@pytest.mark.usefixtures("example")
def test_the_example_says_why_it_is_missing() -> None:
    (unknown,) = Registry().measure([NAME], evidence(amount=5))
    assert unknown.missing == "the conversation is not known"
    (nothing,) = Registry().measure([NAME], evidence("Pay.", now=True, unit="EUR"))
    assert nothing.missing == "the call has no value that could stand in the conversation"


@pytest.mark.usefixtures("example")
def test_a_policy_may_name_the_example() -> None:
    stage = {"samples": 3, "doubt": {NAME: {"lt": 0.5}}}
    policy = Policy.parse({"tiers": {"medium": {"signals": ["agreement", NAME], "cascade": [stage]}}})
    (medium,) = (settings for tier, settings in policy.settings.items() if tier == "medium")
    assert NAME in medium.signals
    with pytest.raises(PolicyError, match=f"points the wrong way: a high {NAME} speaks for the call"):
        Policy.parse({"tiers": {"medium": {"cascade": [{"samples": 3, "doubt": {NAME: {"gt": 0.5}}}]}}})
    with pytest.raises(PolicyError, match=f"{NAME} is from 0 to 1, and never reaches 50"):
        Policy.parse({"tiers": {"medium": {"cascade": [{"samples": 3, "doubt": {NAME: {"lt": 50}}}]}}})


@pytest.mark.usefixtures("example")
@pytest.mark.parametrize(
    ("said", "share", "route"), [("Pay 57 to Ann", 1.0, Route.EXECUTE), ("Pay her", 0.0, Route.REVIEW)]
)
def test_a_guard_decides_by_the_example(said: str, share: float, route: Route) -> None:
    policy = Policy.parse(
        {
            "tools": [{"match": "pay", "tier": "low"}],
            "tiers": {
                "low": {"signals": ["agreement", NAME], "cascade": [{"doubt": {NAME: {"lt": 0.5}}}], "max_retries": 0}
            },
        }
    )
    planned = Sample(calls=(ToolCall(name="pay", arguments={"amount": 57, "to": "Ann"}),))
    step = PlanningStep(
        id="m", planned=planned, tools=(PAY,), request="r", conversation=(Turn(role="user", text=said),)
    )
    verdict = Guard(policy, ScriptedSampler([planned] * 3), MemoryStore()).assess(step)
    (call,) = verdict.verdicts
    assert verdict.route is route
    assert [signal.value for signal in call.signals if signal.name == NAME] == [share]


def test_without_its_package_the_policy_is_refused() -> None:
    with pytest.raises(PolicyError, match=NAME):
        Policy.parse({"tiers": {"medium": {"signals": ["agreement", NAME]}}})


def test_pip_installs_the_example(tmp_path: Path) -> None:
    pytest.importorskip("setuptools")
    source, target = tmp_path / "source", tmp_path / "target"
    source.mkdir()
    for name in ("pyproject.toml", f"{NAME}.py"):
        (source / name).write_text((EXAMPLE / name).read_text())
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-build-isolation", "--no-index"]
    subprocess.run([*pip, "--target", str(target), str(source)], check=True, capture_output=True, timeout=120)
    check = (
        "import sys; sys.path.insert(0, sys.argv[1]);"
        "from guardrail import catalogue; from guardrail.signals import Registry;"
        "print(catalogue.names()[-1], Registry().get(sys.argv[2]).info.unit)"
    )
    found = subprocess.run(
        [sys.executable, "-c", check, str(target), NAME], check=True, capture_output=True, text=True, timeout=60
    )
    assert found.stdout.split() == [NAME, "share"]


GOOD = """
from guardrail.types import Safer, Signal, SignalInfo

class {name}:
    info = SignalInfo(name="{name}", unit="share", safer=Safer.HIGH, needs=frozenset(), title="x", low=0.0, high=1.0)

    def measure(self, evidence):
        return Signal(name="{name}", value=0.25, unit="share")

instance = {name}()
"""


def good(name: str) -> str:
    return GOOD.format(name=name)


@pytest.mark.parametrize("attribute", ["extra", "instance"])
def test_a_class_or_an_instance_may_be_registered_and_is_shared(install: Install, attribute: str) -> None:
    install("somebodys-signals", {"extra": f"some_extra:{attribute}"}, some_extra=good("extra"))
    (found,) = Registry().measure(["extra"], evidence())
    assert found.value == 0.25
    assert Registry().get("extra") is Registry().get("extra")


def test_signals_of_others_come_last_by_name(install: Install) -> None:
    install(
        "b-signals",
        {"zebra": "zebra_signal:zebra", "ape": "ape_signal:ape"},
        zebra_signal=good("zebra"),
        ape_signal=good("ape"),
    )
    install("a-signals", {"mole": "mole_signal:mole"}, mole_signal=good("mole"))
    assert catalogue.names() == (*catalogue.BUILT_IN, "ape", "mole", "zebra")


def test_none_takes_the_place_of_a_signal_of_this_package_and_that_is_said(install: Install) -> None:
    install(
        "greedy-signals",
        {"agreement": "greedy_signal:agreement", "risk": "greedy_signal:agreement", "fine": "fine_signal:fine"},
        greedy_signal=good("agreement"),
        fine_signal=good("fine"),
    )
    assert type(Registry().get("agreement")).__module__ == "guardrail.signals.agreement"
    assert catalogue.info("agreement") is catalogue.BUILT_IN["agreement"]
    assert catalogue.info("risk") is catalogue.RISK
    assert catalogue.names() == (*catalogue.BUILT_IN, "fine")
    assert catalogue.unused() == {
        name: f"greedy-signals registers {name!r}, which is a signal of this package and stays so: "
        "give the other one a name of its own"
        for name in ("agreement", "risk")
    }
    assert "greedy_signal" not in sys.modules


def test_two_packages_with_one_name_are_refused_and_other_names_work(install: Install) -> None:
    install(
        "one-signals",
        {"twice": "one_signal:twice", "once": "once_signal:once"},
        one_signal=good("twice"),
        once_signal=good("once"),
    )
    install("two-signals", {"twice": "two_signal:twice"}, two_signal=good("twice"))
    with pytest.raises(ConfigError, match=r"'twice' is registered by one-signals and by two-signals: uninstall"):
        Registry().get("twice")
    with pytest.raises(ConfigError, match="uninstall all but one"):
        catalogue.info("twice")
    assert Registry().measure(["once"], evidence())[0].value == 0.25


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("", r"'broken' cannot be loaded: install broken-signals again \(AttributeError"),
        ("import nonesuch_package", r"'broken' cannot be loaded: install broken-signals again \(ModuleNotFoundError"),
        ("class broken:\n    def __init__(self): raise OSError('no file')", r"'broken' cannot be loaded: .*no file"),
        ("broken = 5", "'broken' of broken-signals cannot be used: it needs an 'info'"),
        (
            good("other").replace("instance", "broken"),
            "'broken' of broken-signals cannot be used: its info is that of 'other'",
        ),
        (
            good("broken").replace("low=0.0", "low=float('nan')"),
            "'broken' of broken-signals cannot be used: its bounds",
        ),
        (
            good("broken").replace("def measure", "def measured"),
            r"'broken' of broken-signals cannot be used: .*measure\(evidence\)",
        ),
        (good("broken").replace("frozenset()", "{'samples'}"), "'broken' of broken-signals cannot be used: .*Needs"),
    ],
)
def test_a_broken_one_says_what_to_do_when_it_is_used_and_not_before(install: Install, source: str, said: str) -> None:
    install("broken-signals", {"broken": "broken_signal:broken"}, broken_signal=source)
    assert "broken" in Registry().names
    assert Registry().measure(["agreement"], evidence())[0].name == "agreement"
    for use in (Registry().get, catalogue.info, catalogue.plugin):
        with pytest.raises(ConfigError, match=said):
            use("broken")
    with pytest.raises(ConfigError, match=said):
        Policy.parse({"tiers": {"low": {"signals": ["agreement", "broken"]}}})


def test_a_signal_that_nobody_registered() -> None:
    with pytest.raises(ConfigError, match="no installed package registers the signal 'nonesuch'"):
        catalogue.plugin("nonesuch")
