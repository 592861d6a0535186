"""``guardrail doctor`` against an endpoint that is well, or sick in one way at a time."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from guardrail.calibration import save_calibration
from guardrail.types import Tier
from guardrail_openai.doctor import doctor
from tests.engine.calibrations import disagreement
from tests.support.calibrated import a_policy, a_tier
from tests.support.openai_server import Fault, OpenAIServer, call, calls, cut, say

TOOLS = [
    {"name": "find_order", "parameters": {"type": "object", "properties": {"id": {"type": "string"}}}},
    {"name": "refund", "parameters": {"type": "object", "properties": {"amount": {"type": "number"}}}},
]
POLICY = """
default: {tier: high}
tools:
  - {match: "find_*", tier: low}
  - {match: refund, when: {amount: {gt: 100}}, tier: critical}
  - {match: refund, tier: medium}
"""
TOP = [{"token": "A", "logprob": -0.2, "bytes": [65]}, {"token": "B", "logprob": -1.8, "bytes": [66]}]
LETTERS = {"content": [{"token": "A", "logprob": -0.2, "bytes": [65], "top_logprobs": TOP}]}
Draw = Callable[[dict[str, Any]], random.Random]


def asked(body: dict[str, Any]) -> str:
    return str(body.get("messages") or body.get("input"))


def model(rng: Draw, *, sure: bool = False) -> Callable[[dict[str, Any], int], Any]:
    """A model whose random answers come from a generator for each request."""

    def reply(body: dict[str, Any], _index: int) -> Any:
        drawn = rng(body)
        hot = (body.get("temperature") or 0) > 1.2
        if not body.get("tools"):
            return say("A", logprobs=LETTERS) if body.get("top_logprobs") else say("hello")
        if "random sequence" in asked(body):
            digits = drawn.randrange(10**12) if hot or not sure else 123456789012
            return call("save_note", digits=str(digits), sentence="red")
        if "Pick any" in asked(body):
            return call("get_weather", city="Paris" if sure else f"City {drawn.randrange(10**6)}")
        return call("get_weather", city="Paris")

    return reply


def fresh(_body: dict[str, Any]) -> random.Random:
    return random.Random()


def seeded(body: dict[str, Any]) -> random.Random:
    return random.Random(f"{asked(body)} {body.get('temperature')}")


def greedy(body: dict[str, Any]) -> random.Random:
    return random.Random(asked(body))


def cached(body: dict[str, Any]) -> random.Random:
    return random.Random(json.dumps(body, sort_keys=True))


@pytest.fixture
def well(server: OpenAIServer) -> OpenAIServer:
    server.reset(model(fresh), usage="counted")
    return server


def run(server: OpenAIServer | str, *options: str) -> Result:
    url = server if isinstance(server, str) else server.url
    result = CliRunner().invoke(doctor, ["--model", "m", "--base-url", url, *options], obj={})
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def examined(server: OpenAIServer, *options: str) -> tuple[int, dict[str, dict[str, Any]]]:
    """Exit code and findings by check."""
    result = run(server, "--samples", "4", "--json", *options)
    data = json.loads(result.stdout)
    assert data["code"] == result.exit_code
    return result.exit_code, {finding["check"]: finding for finding in data["findings"]}


def levels(found: dict[str, dict[str, Any]]) -> dict[str, str]:
    return {check: one["level"] for check, one in found.items() if one["level"] != "ok"}


def test_an_endpoint_that_is_well(well: OpenAIServer) -> None:
    well.sent = {"x-ratelimit-limit-requests": "500", "x-ratelimit-remaining-requests": "499"}
    code, found = examined(well)
    # today nothing is calibrated
    assert (code, levels(found)) == (0, {"calibration": "warning"})
    assert found["n"]["data"]["most"] == 4
    assert found["independence"]["data"] == {"drawn": 3, "different": 3, "ids": 3}
    assert found["rate limits"]["data"]["limit-requests"] == "500"
    assert found["P(True)"]["data"]["questions"] == 2
    assert found["log-probabilities"]["data"]["logprob_mean"] < 0
    # 1, 2 and 4 choices of the free canary
    assert [body.get("n") for body in well.requests if "Pick any" in asked(body)] == [None, 2, 4]


def test_the_same_over_responses(well: OpenAIServer) -> None:
    code, found = examined(well, "--api", "responses")
    assert code == 0
    assert set(levels(found)) == {"calibration", "log-probabilities"}
    assert set(well.paths) == {"/v1/responses"}
    assert all(body["store"] is False for body in well.requests if not body.get("tools"))


def test_a_cache_that_keeps_ids(well: OpenAIServer) -> None:
    well.echo = True
    code, found = examined(well)
    assert (code, found["independence"]["level"]) == (1, "failure")
    assert found["independence"]["data"]["cause"] == "cache"


@pytest.mark.parametrize(
    ("rng", "cause"), [(cached, "cache"), (seeded, "seed"), (greedy, "temperature")], ids=["cache", "seed", "greedy"]
)
def test_equal_answers_under_new_ids_are_told_apart(well: OpenAIServer, rng: Draw, cause: str) -> None:
    well.reply = model(rng)
    code, found = examined(well)
    assert (code, found["independence"]["level"]) == (1, "failure")
    assert found["independence"]["data"]["cause"] == cause
    assert found["independence"]["remedy"]


def test_a_model_that_is_sure_of_itself_is_no_sick_endpoint(well: OpenAIServer) -> None:
    well.reply = model(fresh, sure=True)
    code, found = examined(well)
    assert code == 0
    assert found["independence"]["data"]["cause"] == "confident model"
    assert found["variety"]["level"] == "warning"
    assert found["independence of choices"]["level"] == "ok"


def test_honest_unanimity_on_the_plain_canary_is_no_fault(well: OpenAIServer) -> None:
    _, found = examined(well)
    assert found["tool calls"]["level"] == "ok"
    assert found["independence"]["level"] == "ok"


def test_choices_that_are_copies_of_one(well: OpenAIServer) -> None:
    free = model(fresh)
    well.reply = lambda body, index: [free(body, index)] * (body.get("n") or 1)
    code, found = examined(well)
    assert (code, found["independence of choices"]["level"]) == (1, "failure")
    assert "use_n=False" in found["independence of choices"]["remedy"]


@pytest.mark.parametrize(("n", "most"), [("ignore", 1), (2, 2), (3, 2)])
def test_an_n_that_is_ignored_or_refused(well: OpenAIServer, n: Any, most: int) -> None:
    well.n = n
    code, found = examined(well)
    assert (code, found["n"]["level"], found["n"]["data"]["most"]) == (0, "warning", most)
    assert "requests" in found["n"]["means"]


@pytest.mark.parametrize("kind", ["text", "none"])
def test_no_log_probabilities_for_calls(well: OpenAIServer, kind: Any) -> None:
    well.logprobs = kind
    code, found = examined(well)
    assert (code, found["log-probabilities"]["level"]) == (0, "warning")
    assert "Signals of the plan" in found["log-probabilities"]["means"]


def test_log_probabilities_that_are_refused(well: OpenAIServer) -> None:
    well.refuse = lambda body: "logprobs are not supported" if body.get("logprobs") else None
    code, found = examined(well)
    assert (code, found["log-probabilities"]["level"], found["P(True)"]["level"]) == (0, "warning", "warning")
    assert "logprobs are not supported" in found["log-probabilities"]["found"]


@pytest.mark.parametrize(
    ("usage", "words"),
    [("one", "one choice only"), ("each", "costs as much"), ("none", "cannot be kept")],
)
def test_a_bill_that_is_wrong(well: OpenAIServer, usage: Any, words: str) -> None:
    well.usage = usage
    code, found = examined(well)
    assert (code, found["usage"]["level"]) == (0, "warning")
    assert words in found["usage"]["means"]


def test_tools_that_are_refused(well: OpenAIServer) -> None:
    well.refuse = lambda body: "tools are not supported by this model" if body.get("tools") else None
    code, found = examined(well)
    assert (code, found["tool calls"]["level"]) == (2, "failure")
    assert "tools are not supported" in found["tool calls"]["found"]


@pytest.mark.parametrize(
    ("reply", "level"),
    [
        (say("It is sunny."), "failure"),
        (calls(("get_weather", "{")), "failure"),
        (cut("get_weather", '{"ci'), "failure"),
        (call("get_weather", town="Paris"), "warning"),
    ],
    ids=["words", "broken", "cut", "misfit"],
)
def test_calls_that_do_not_come_back(well: OpenAIServer, reply: Any, level: str) -> None:
    free = model(fresh)
    well.reply = lambda body, index: reply if "Paris" in asked(body) and body.get("tools") else free(body, index)
    code, found = examined(well)
    assert (code, found["tool calls"]["level"]) == (1 if level == "failure" else 0, level)


def test_own_tools_that_are_refused(well: OpenAIServer, tmp_path: Path) -> None:
    tools = tmp_path / "tools.json"
    tools.write_text(json.dumps(TOOLS))
    well.refuse = lambda body: "Invalid schema for 'refund'" if "refund" in str(body.get("tools")) else None
    code, found = examined(well, "--tools", str(tools))
    assert (code, found["your tools"]["level"]) == (1, "failure")


def test_a_model_that_takes_no_temperature(well: OpenAIServer) -> None:
    well.refuse = lambda body: "'temperature' is not supported" if "temperature" in body else None
    code, found = examined(well)
    assert (code, found["endpoint"]["level"]) == (0, "warning")
    assert "temperature=None" in found["endpoint"]["remedy"]


def test_a_model_that_wants_the_other_name_for_its_limit(well: OpenAIServer) -> None:
    well.refuse = lambda body: (
        "Unsupported: 'max_tokens', use 'max_completion_tokens'" if "max_tokens" in body else None
    )
    code, found = examined(well)
    assert (code, levels(found)) == (0, {"calibration": "warning"})


def test_an_endpoint_that_cannot_be_used(well: OpenAIServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-wrong")
    well.key = "sk-right"
    code, found = examined(well)
    assert (code, "API key" in found["endpoint"]["found"]) == (2, True)
    assert "sk-" not in json.dumps(found)
    well.key, well.models = None, ["other", "one"]
    code, found = examined(well)
    assert (code, found["endpoint"]["remedy"]) == (2, "Use a model that it has: other, one.")
    well.models = None
    well.faults = [Fault(body=b"<html>")]
    code, found = examined(well)
    assert (code, "address" in found["endpoint"]["found"]) == (2, True)
    with OpenAIServer() as gone:
        pass
    code, found = examined(gone)
    assert (code, "cannot be reached" in found["endpoint"]["found"]) == (2, True)


def test_an_endpoint_that_stops_answering_is_not_told_to_lack_anything(well: OpenAIServer) -> None:
    free = model(fresh)
    well.reply = lambda body, index: (
        (well.faults.extend([Fault(status=503)] * 9) if "Pick any" in asked(body) else None) or free(body, index)
    )
    code, found = examined(well)
    assert (code, found["endpoint"]["level"]) == (2, "failure")
    assert "no longer" in found["endpoint"]["found"]
    assert "n" not in found


def test_a_short_failure_is_tried_again(well: OpenAIServer) -> None:
    free = model(fresh)
    well.reply = lambda body, index: (
        (well.faults.append(Fault(status=429, headers={"retry-after": "0"})) if "Paris" in asked(body) else None)
        or free(body, index)
    )
    code, found = examined(well)
    assert (code, levels(found)) == (0, {"calibration": "warning"})
    assert 429 in well.statuses


def test_a_policy_and_its_tools(well: OpenAIServer, tmp_path: Path) -> None:
    tools, policy = tmp_path / "tools.json", tmp_path / "policy.yaml"
    tools.write_text(json.dumps(TOOLS))
    policy.write_text(POLICY)
    result = run(well, "--samples", "4", "--tools", str(tools), "--policy", str(policy))
    assert result.exit_code == 0
    lines = [" ".join(line.split()) for line in result.stdout.splitlines()]
    assert "find_order low (tools[0]: find_*)" in lines
    assert "refund critical (tools[1]: refund when amount > 100); medium (tools[2]: refund)" in lines
    assert any(line.startswith("low 3 nothing 2 requests") for line in lines)
    policy.write_text(POLICY.replace("find_*", "finds_*"))
    code, found = examined(well, "--tools", str(tools), "--policy", str(policy))
    assert (code, found["policy"]["level"]) == (1, "failure")
    assert "finds_*" in found["policy"]["found"]
    code, found = examined(well, "--policy", str(policy))
    assert (code, found["policy"]["level"]) == (0, "warning")


def test_what_a_step_costs_is_what_the_guard_asks_for(well: OpenAIServer, tmp_path: Path) -> None:
    policy = tmp_path / "policy.yaml"
    policy.write_text("tiers:\n  high: {signals: [p_true, agreement]}\n  medium: {waves: [2, 3]}\n")
    data = json.loads(run(well, "--samples", "4", "--json", "--policy", str(policy)).stdout)
    costs = data["costs"]
    # a likely plan of the low tier runs without samples; three samples are never more than two requests
    assert costs["low"]["agreeing"] == {"requests": 0, "tokens": 0.0, "seconds": 0.0}
    assert costs["low"]["most"]["requests"] == 2
    # waves as the policy says: two samples, then three
    assert costs["medium"]["most"]["requests"] == 2
    # all eight at once, of which one request gives four
    assert costs["critical"]["most"]["requests"] == costs["critical"]["agreeing"]["requests"]
    # P(True) is asked in both orders
    assert costs["high"]["most"]["requests"] > costs["critical"]["most"]["requests"]
    assert all(cost["agreeing"]["tokens"] <= cost["most"]["tokens"] for cost in costs.values())


def test_without_log_probabilities_the_low_tier_is_not_free(well: OpenAIServer) -> None:
    well.logprobs = "text"
    data = json.loads(run(well, "--samples", "4", "--json").stdout)
    assert data["costs"]["low"]["agreeing"]["requests"] > 0


@pytest.mark.parametrize(
    ("text", "level", "words"),
    [("not json", "failure", "risk"), (None, "failure", "risk")],
    ids=["broken", "absent"],
)
def test_a_risk_model_that_cannot_be_read(
    well: OpenAIServer, tmp_path: Path, text: str | None, level: str, words: str
) -> None:
    policy, risk = tmp_path / "policy.yaml", tmp_path / "risk.json"
    if text is not None:
        risk.write_text(text)
    policy.write_text(f"risk_model: {risk}\ntiers:\n  high: {{max_risk: 0.1}}\n")
    code, found = examined(well, "--policy", str(policy))
    assert (code, found["calibration"]["level"]) == (1, level)
    assert words in found["calibration"]["means"]


@pytest.mark.parametrize(
    ("model", "change", "level", "words"),
    [
        ("m", {}, "ok", "Calibrated for m: high at most 10 % wrong."),
        ("other", {}, "warning", "Not calibrated for m: the thresholds of high are for other."),
        ("m", {"adopted_by": "", "adopted_at": ""}, "failure", "nobody has adopted"),
        ("m", {"risk_model": "f" * 64}, "failure", "was calibrated on the risk model ffffffffffff"),
        ("m", None, "warning", "no thresholds that keep a promise"),
    ],
)
def test_whether_the_policy_is_calibrated_for_this_model(
    well: OpenAIServer, tmp_path: Path, model: str, change: dict[str, str] | None, level: str, words: str
) -> None:
    risk = disagreement()
    risk.save(tmp_path / "risk.json")
    named = {"adopted_by": "ana", "adopted_at": "2026-01-02T03:04:05+00:00", "risk_model": risk.digest}
    tier = a_tier(Tier.HIGH, fingerprint={"model": (model,)})
    save_calibration(a_policy(tier, **{**named, **(change or {})}), tmp_path / "calibration.json")
    keys = "risk_model: risk.json\ncalibration: calibration.json\n"
    if change is None:
        keys = "risk_model: risk.json\ntiers: {high: {max_risk: 0.1}}\n"
    (tmp_path / "policy.yaml").write_text(keys)
    code, found = examined(well, "--policy", str(tmp_path / "policy.yaml"))
    assert (code, found["calibration"]["level"]) == (int(level == "failure"), level)
    assert words in found["calibration"]["found"]


def test_a_judge_that_is_not_there(well: OpenAIServer) -> None:
    code, found = examined(well, "--entailment", "nothing")
    assert (code, found["entailment"]["level"]) == (1, "failure")


def test_without_a_key_openai_is_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    from guardrail.errors import ConfigError

    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    with pytest.raises(ConfigError, match="OPENAI_API_KEY"):
        CliRunner().invoke(doctor, ["--model", "m"], obj={}, catch_exceptions=False)


def test_what_an_endpoint_says_cannot_draw_on_the_terminal(well: OpenAIServer) -> None:
    well.refuse = lambda body: "\x1b[31mred\u202e" if body.get("tools") else None
    result = run(well, "--samples", "4")
    assert result.exit_code == 2
    assert "\x1b" not in result.stdout
    assert "\u202e" not in result.stdout
