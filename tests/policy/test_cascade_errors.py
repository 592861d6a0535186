"""Stages, risk, stopping and budgets that cannot be: where, what, and what to write instead."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from guardrail.policy import Policy

RISK = "risk_model: risk.json\n"


def stage(tier: str = "low", **keys: str) -> str:
    """A policy with one stage, written as YAML."""
    inner = ", ".join(f"{key}: {value}" for key, value in keys.items())
    return f"tiers:\n  {tier}:\n    cascade:\n      - {{{inner}}}\n"


STAGES = [
    (
        stage(execute="{logprb_sum: {ge: -1}}"),
        [":4: tiers.low.cascade[0].execute.logprb_sum: unknown signal", "did you mean 'logprob_sum'?"],
    ),
    (
        stage(samples="3", signals="[agreemnt]", doubt="{agreement: {le: 0}}"),
        ["cascade[0].signals[0]: unknown signal 'agreemnt'; did you mean 'agreement'?"],
    ),
    (stage(samples="3"), ["tiers.low.cascade[0]: decides nothing; give it 'execute' or 'doubt', or remove it"]),
    (stage(samples="3", signals="[agreement]"), ["cascade[0]: decides nothing"]),
    (stage(sample="3", doubt="{agreement: {le: 0}}"), ["cascade[0].sample: unknown key; did you mean 'samples'?"]),
    (stage(samples="3", execute="{agreement: 1}"), ["execute.agreement: must say how to compare, such as {ge: 1}"]),
    (stage(samples="3", execute="{agreement: {}}"), ["must have one of 'ge', 'gt', 'le' and 'lt'"]),
    (stage(samples="3", execute="{agreement: {ge: 0.9, gt: 0.8}}"), ["must have one of 'ge', 'gt', 'le' and 'lt'"]),
    (stage(samples="3", execute="{agreement: {gee: 1}}"), ["execute.agreement.gee: unknown key; did you mean 'ge'?"]),
    (
        stage(samples="3", execute="{agreement: {ge: often}}"),
        ["execute.agreement.ge: must be a number such as 0.8 or 4/5, not 'often'"],
    ),
    (stage(samples="3", execute="{agreement: {ge: .nan}}"), ["must be a number such as"]),
    (stage(samples="3", execute="{agreement: {ge: true}}"), ["must be a number such as"]),
    (stage(samples="3", execute="{agreement: {ge: }}"), ["'ge' has no value"]),
    (stage(execute="{logprob_sum: {ge: -1e999}}"), ["must be compared with a number, not -inf"]),
    (
        stage(samples="3", execute="{agreement: {le: 0.9}}"),
        [
            "execute.agreement.le: points the wrong way: a high agreement speaks for the call, so 'execute' takes 'ge' or 'gt'"
        ],
    ),
    (
        stage(samples="3", execute="{semantic_entropy: {ge: 0.1}}"),
        ["a low semantic_entropy speaks for the call, so 'execute' takes 'le' or 'lt'"],
    ),
    (
        stage(samples="3", doubt="{agreement: {ge: 0.9}}"),
        ["doubt.agreement.ge: points the wrong way", "'doubt' takes 'le' or 'lt'"],
    ),
    (stage(samples="3", doubt="{semantic_entropy: {lt: 1}}"), ["'doubt' takes 'ge' or 'gt'"]),
    (stage(samples="3", execute="{agreement: {ge: 1.2}}"), ["agreement is from 0 to 1, and never reaches 1.2"]),
    (stage(execute="{logprob_sum: {ge: 0.5}}"), ["never reaches 0.5"]),
    (stage(samples="3", execute="{agreement: {ge: 0}}"), ["execute.agreement.ge: holds for every agreement there is"]),
    (stage(samples="3", execute="{agreement: {gt: 1}}"), ["holds for no agreement there is"]),
    (stage(samples="3", doubt="{agreement: {lt: 0}}"), ["doubt.agreement.lt: holds for no agreement there is"]),
    (stage(samples="3", doubt="{agreement: {le: 1}}"), ["holds for every agreement there is"]),
    (stage(samples="3", doubt="{semantic_entropy: {ge: 0}}"), ["holds for every semantic_entropy there is"]),
    (
        stage(samples="3", execute="{agreement: {ge: 0.5}}", doubt="{agreement: {le: 0.5}}"),
        ["cascade[0].doubt.agreement: overlaps with 'execute'"],
    ),
    (
        stage(samples="3", execute="{semantic_entropy: {le: 0.5}}", doubt="{semantic_entropy: {gt: 0.2}}"),
        ["overlaps with 'execute'"],
    ),
    (
        stage(samples="1", doubt="{logprob_sum: {lt: -1}}"),
        ["cascade[0].samples: must be a whole number from 2 to the 3 of the tier, not 1"],
    ),
    (stage(samples="4", doubt="{agreement: {le: 0}}"), ["must be a whole number from 2 to the 3 of the tier, not 4"]),
    (stage(samples="2.5", doubt="{agreement: {le: 0}}"), ["cascade[0].samples: must be a whole number"]),
    (
        stage(execute="{agreement: {ge: 1}}"),
        ["execute.agreement: 'agreement' is measured over samples; give the stage 'samples', at least 2"],
    ),
    (stage(doubt="{argument_entropy: {gt: 1}}"), ["'argument_entropy' is measured over samples"]),
    (
        stage(signals="[lexical_entropy]", doubt="{logprob_sum: {lt: -1}}"),
        ["cascade[0].signals: 'lexical_entropy' is measured over samples"],
    ),
    (
        stage(execute="{p_true: {ge: 0.9}}"),
        ["cascade[0].execute: p_true alone is the model's word for itself; no call may run on it"],
    ),
    (
        stage(samples="3", execute="{p_true: {ge: 0.9}, verbalized_confidence: {ge: 0.9}}"),
        ["p_true, verbalized_confidence alone"],
    ),
    (
        stage("high", execute="{logprob_sum: {ge: -1}}"),
        ["only low-tier calls may run without samples; give the stage 'samples', or keep only 'doubt'"],
    ),
    (RISK + stage("medium", execute="{risk: {le: 0.1}}"), ["only low-tier calls may run without samples"]),
    (
        stage("medium", samples="3", execute="{logprob_sum: {ge: -1}}"),
        ["a medium-tier call runs on 'agreement' or 'risk' over samples; add one"],
    ),
    (stage("medium", samples="3", execute="{semantic_entropy: {le: 0.1}}"), ["'agreement' or 'risk' over samples"]),
    (
        RISK + stage("medium", samples="3", execute="{risk: {le: 0.1}}"),
        ["the tier asks for an agreement of 0.8; add 'agreement' to this stage"],
    ),
    (
        stage("medium", samples="3", execute="{agreement: {ge: 2/3}}"),
        ["execute.agreement: 0.667 is less than the 0.8 that the tier asks for"],
    ),
    (stage("high", samples="3", execute="{agreement: {ge: 0.99}}"), ["0.99 is less than the 1 that the tier asks for"]),
    (stage(execute="{risk: {le: 0.1}}"), ["tiers.low.cascade[0]: needs a risk model", "'risk_model: risk.json'"]),
    (stage(signals="[risk]", doubt="{logprob_sum: {lt: -1}}"), ["cascade[0]: needs a risk model"]),
]


@pytest.mark.parametrize(("text", "parts"), STAGES, ids=range(len(STAGES)))
def test_a_stage_that_cannot_be(complaint: Callable[[str], str], text: str, parts: list[str]) -> None:
    message = complaint(text)
    for part in parts:
        assert part in message


TIERS = [
    (
        "cascade: [{samples: 3, doubt: {agreement: {le: 0}}}, {samples: 3, doubt: {agreement: {le: 0}}}]",
        ["cascade[1].samples: is 3, and an earlier stage has drawn 3 already; samples must grow"],
    ),
    (
        "cascade: [{samples: 3, doubt: {agreement: {le: 0}}}, {doubt: {logprob_sum: {lt: -1}}}]",
        ["cascade[1].samples: is 0, and an earlier"],
    ),
    ("cascade: 3", ["cascade: must be a list, not 3"]),
    (
        "max_risk: 0.1",
        ["tiers.high.max_risk: needs a risk model: name its file with 'risk_model: risk.json', or remove this"],
    ),
    ("signals: [agreement, risk]", ["tiers.high.signals: needs a risk model"]),
    ("max_risk: 1", ["tiers.high.max_risk: must be a probability from 0 to below 1, not 1"]),
    ("max_risk: -0.1", ["must be a probability from 0 to below 1"]),
    ("max_risk: often", ["max_risk: must be a"]),
    ("stopping: lossless", ["stopping: must be a mapping"]),
    ("stopping: {}", ["stopping: has no 'rule'"]),
    ("stopping: {rule: baysian}", ["stopping.rule: must be 'none', 'lossless' or 'bayesian', not 'baysian'"]),
    ("stopping: {rule: bayesian}", ["bayesian stopping needs an 'error', such as 0.02"]),
    (
        "stopping: {rule: bayesian, error: 0.5}",
        ["stopping.error: must be a probability between 0 and 0.5, such as 0.02, not 0.5"],
    ),
    ("stopping: {rule: bayesian, error: 0}", ["stopping.error: must be a probability between 0 and 0.5"]),
    ("stopping: {rule: bayesian, error: 0.02, prior: [1, 0]}", ["stopping.prior: must be two numbers above 0"]),
    ("stopping: {rule: bayesian, error: 0.02, prior: [1, 1e999]}", ["stopping.prior: must be two numbers above 0"]),
    ("stopping: {rule: bayesian, error: 0.02, prior: [1]}", ["stopping.prior"]),
    (
        "stopping: {rule: lossless, error: 0.02}",
        ["stopping: only the bayesian rule has an error and a prior, not lossless; remove them"],
    ),
    ("stopping: {rule: none, prior: [2, 1]}", ["only the bayesian rule has"]),
    ("stopping: {rule: bayesian, eror: 0.02}", ["stopping.eror: unknown key; did you mean 'error'?"]),
    ("waves: [3, 3]", ["tiers.high.waves: add up to 6, and the last stage draws 8 (8)"]),
    ("waves: [3, -1, 6]", ["waves: must be whole numbers from 1"]),
    ("waves: 8", ["waves: must be a list"]),
    (
        "{waves: [3, 5], cascade: [{samples: 3, doubt: {agreement: {le: 0}}}]}",
        ["add up to 8, and the last stage draws 5 (8 less the 3 of earlier stages)"],
    ),
]


@pytest.mark.parametrize(("keys", "parts"), TIERS, ids=range(len(TIERS)))
def test_a_tier_that_cannot_be(complaint: Callable[[str], str], keys: str, parts: list[str]) -> None:
    message = complaint(f"tiers:\n  high: {keys if keys.startswith('{') else '{' + keys + '}'}\n")
    for part in parts:
        assert part in message


FILES = [
    (RISK, ["risk_model: no tier uses it: give one 'max_risk' or a condition on 'risk', or remove it"]),
    ("risk_model: ''", ["risk_model"]),
    ("risk_model:", ["'risk_model' has no value"]),
    (
        RISK + "tiers: {high: {max_risk: 0.2}, medium: {max_risk: 0.1}}",
        [
            "tiers.high.max_risk: 0.2 is more than the 0.1 that the medium tier allows; higher stakes may not allow more risk"
        ],
    ),
    (
        RISK + "tiers: {high: {max_risk: 0.2}, low: {max_risk: 0.1}}",
        ["0.2 is more than the 0.1 that the low tier allows"],
    ),
    (RISK + "tiers: {high: {max_risk: 0.2, signals: [p_true]}}", ["p_true alone is the model's word for itself"]),
    (RISK + "tiers: {high: {max_risk: 0.2, agreement: 1, signals: [semantic_entropy]}}", ["'agreement' decides"]),
    (
        RISK + "tiers: {high: {max_risk: 0.2, stopping: {rule: bayesian, error: 0.02}}}",
        [
            "stopping.rule: bayesian stopping foretells the agreement of all samples, and here a risk decides; write 'lossless'"
        ],
    ),
    (
        RISK + "tiers: {high: {max_risk: 0.2, cascade: [{samples: 3, execute: {risk: {le: 0.3}}}]}}",
        ["execute.risk: 0.3 is more than the 0.2 that the tier allows"],
    ),
    (
        RISK + "tiers: {medium: {max_risk: 0.2, cascade: [{samples: 3, execute: {agreement: {ge: 2/3}}}]}}",
        ["0.667 is less than the 0.8 that the tier asks for"],
    ),
    (
        "tiers: {critical: {cascade: [{samples: 3, doubt: {agreement: {le: 0}}}]}}",
        ["critical calls always wait for a human"],
    ),
    ("tiers: {critical: {max_risk: 0.1}}", ["critical calls always wait for a human"]),
    ("tiers: {critical: {waves: [3, 5]}}", ["critical calls always wait for a human"]),
    ("tiers: {critical: {stopping: {rule: none}}}", ["critical calls always wait for a human"]),
    (
        "tiers: {critical: {samples: 0, signals: [semantic_entropy]}}",
        ["'semantic_entropy' is measured over samples, and the tier draws none; remove it"],
    ),
    ("tiers: {critical: {signals: [risk]}}", ["tiers.critical.signals: needs a risk model"]),
    ("tiers: {critical: {signals: [p_true]}}", ["the model's word for itself"]),
    ("budget: {stp: {tokens: 5}}", ["budget.stp: unknown key; did you mean 'step'?"]),
    ("budget: {step: {token: 5}}", ["budget.step.token: unknown key; did you mean 'tokens'?"]),
    ("budget: {}", ["budget: is empty; set one of step, thread, day, or remove it"]),
    ("budget: {day: {}}", ["budget.day: is empty; set one of tokens, seconds, money, or remove it"]),
    ("budget: {step: 500}", ["budget.step: must be a mapping, not 500"]),
    ("budget: {step: {tokens: 0}}", ["budget.step.tokens: must be a whole number above 0, not 0"]),
    ("budget: {step: {tokens: 2.5}}", ["budget.step.tokens: must be a whole number"]),
    ("budget: {thread: {seconds: -1}}", ["budget.thread.seconds: must be a number above 0"]),
    ("budget: {thread: {seconds: 1e999}}", ["budget.thread.seconds: must be a number above 0"]),
    ("budget: {day: {money: 5}}", ["budget.day.money: cannot be counted without prices; add 'prices:"]),
    (
        "budget: {day: {money: 0}}\nprices: {'*': {prompt: 1, completion: 1}}",
        ["budget.day.money: must be a number above 0"],
    ),
    ("prices: {mini: {prompt: 1}}", ["prices.mini: has no 'completion'; add it"]),
    ("prices: {mini: {prompt: 1, compl: 2}}", ["prices.mini.compl: unknown key; did you mean 'completion'?"]),
    (
        "prices: {mini: {prompt: -1, completion: 1}}",
        ["prices.mini.prompt: must be money for a million tokens, at least 0, not -1"],
    ),
    ("prices: {mini: 5}", ["prices.mini: must be a mapping"]),
    ("prices: {'': {prompt: 1, completion: 1}}", ["must go from a model's name"]),
]


@pytest.mark.parametrize(("text", "parts"), FILES, ids=range(len(FILES)))
def test_a_file_that_cannot_be(complaint: Callable[[str], str], text: str, parts: list[str]) -> None:
    message = complaint(text)
    for part in parts:
        assert part in message


POSSIBLE = [
    stage(samples="2", execute="{agreement: {ge: 1}}"),
    stage("medium", samples="2", execute="{agreement: {ge: 4/5}}"),
    stage("medium", samples="5", execute="{agreement: {gt: 0.8}}", doubt="{semantic_entropy: {gt: 1}}"),
    stage("high", doubt="{p_true: {lt: 0.1}}"),
    stage(samples="3", execute="{agreement: {ge: 0.5}}", doubt="{agreement: {lt: 0.5}}"),
    stage(samples="3", execute="{agreement: {gt: 0.5}}", doubt="{agreement: {le: 0.5}}"),
    stage(samples="3", execute="{semantic_entropy: {le: 0.5}}", doubt="{semantic_entropy: {gt: 0.5}}"),
    stage(samples="3", execute="{semantic_entropy: {lt: 0.5}}", doubt="{semantic_entropy: {ge: 0.5}}"),
    stage(samples="3", execute="{semantic_entropy: {le: 0}}", doubt="{agreement: {le: 0}}"),
    RISK + stage(execute="{risk: {le: 0.1}}"),
    RISK + "tiers: {high: {max_risk: 0.2, cascade: [{samples: 3, execute: {risk: {le: 0.2}}}]}}",
    RISK + "tiers: {high: {max_risk: 0}, medium: {max_risk: 0.1}, low: {max_risk: 0.1}}",
    "tiers: {high: {cascade: [{doubt: {logprob_min: {lt: -9}}}, {doubt: {top_margin: {lt: 1}}}], waves: [3, 5]}}",
    "tiers: {high: {stopping: {rule: bayesian, error: 0.499, prior: [0.001, 9]}}}",
    "budget: {step: {tokens: 1, seconds: 0.001}}",
]


@pytest.mark.parametrize("text", POSSIBLE)
def test_what_is_just_possible(text: str, tmp_path: Path) -> None:
    path = tmp_path / "policy.yaml"
    path.write_text(text)
    Policy.load(path)
