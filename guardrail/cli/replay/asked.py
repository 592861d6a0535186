"""What the command line asked for, as a job."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from guardrail.bulk import Job, PlannerOptions
from guardrail.cli.plugins import entailment
from guardrail.cli.replay.planners import checker_named, planner_named, split
from guardrail.engine.setup import calibration_for, tools_for
from guardrail.errors import ConfigError
from guardrail.policy import Policy


def job_of(given: Mapping[str, Any]) -> Job:
    """The job that the options describe.

    Raises:
        ConfigError: one of them cannot be used.
    """
    kind, argument = split(given["planner"])
    if given["checker"]:
        checker_named(given["checker"])
    policy = Policy() if given["policy_file"] is None else Policy.load(given["policy_file"])
    tools = tools_for(policy, signals=(), risk_model=None, asks=True)
    for name in given["signals"]:
        tools.registry.get(name)
    options = PlannerOptions(
        argument=argument,
        temperature=_temperature(given["temperature"]),
        timeout=given["timeout"],
        retries=given["retries"],
        concurrency=given["concurrency"],
        settings=_settings(given["settings"]),
    )
    return Job(
        planner=partial(planner_named, kind),
        options=options,
        policy=policy,
        samples=given["samples"],
        keep_plan=given["keep_plan"],
        signals=given["signals"],
        risk_model=tools.risk,
        calibration=calibration_for(policy, tools),
        judge=partial(entailment, given["backend"]),
        checker=partial(checker_named, given["checker"]) if given["checker"] else None,
        named={"judge": given["backend"], "checker": given["checker"] or ""},
        concurrency=given["concurrency"],
    )


def _temperature(text: str) -> float | None:
    if text == "request":
        return None
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 < value < float("inf"):
        raise ConfigError(
            f"--temperature is {text!r}: give a number above 0 (samples at 0 are all the same), or 'request'"
        )
    return value


def _settings(pairs: Sequence[str]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for pair in pairs:
        key, equals, text = pair.partition("=")
        try:
            found[key] = json.loads(text)
        except ValueError as error:
            raise ConfigError(
                f"--set {pair}: what follows '=' is no JSON; texts are quoted, null takes it out"
            ) from error
        if not equals or not key or key in ("model", "messages", "input", "tools"):
            raise ConfigError(f"--set {pair}: write KEY=JSON of a setting, such as max_tokens=500 or tool_choice=null")
    return found
