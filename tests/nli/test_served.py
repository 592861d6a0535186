"""NLI over HTTP: the documented form, spoken with a real server around a real model."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
import transformers

from guardrail.errors import ConfigError, EntailmentError, MissingExtra
from guardrail_transformers import ServedNLIEntailment
from tests.support.entailment_conformance import EntailmentLaws, pair
from tests.support.predict_server import PredictServer
from tests.support.tiny_bert import RuleModel, alike, by_length

CANCEL = ("cancel the order", "please cancel the order")
YES = json.dumps([[{"label": "entailment", "score": 0.98}, {"label": "contradiction", "score": 0.01}]] * 2).encode()


@pytest.fixture(scope="module")
def running(bert):
    tokenizer = transformers.AutoTokenizer.from_pretrained(bert([0.0, 0.0, 0.0]))
    with PredictServer(tokenizer=tokenizer, model=RuleModel(alike)) as server:
        yield server


@pytest.fixture
def server(running, monkeypatch):
    monkeypatch.setattr("guardrail_transformers.served.FIRST_WAIT_SECONDS", 0.01)
    running.model, running.max_client_batch_size, running.info = RuleModel(alike), 32, True
    for seen in (running.faults, running.asked, running.headers):
        seen.clear()
    return running


class TestLaws(EntailmentLaws):
    same = CANCEL
    different = ("ship", "the museum opens on monday")

    @pytest.fixture
    def entailment(self, server):
        return ServedNLIEntailment(server.url)


@pytest.fixture(params=["equivalent", "aequivalent"])
def ask(request, server):
    """Asks through either door; the options are the judge's."""

    async def call(pairs, **options):
        judge = ServedNLIEntailment(options.pop("url", server.url), **options)
        if request.param == "aequivalent":
            return await judge.aequivalent(pairs)
        return judge.equivalent(pairs)

    return call


def pairs(n):
    """Pairs of one length, so that the rule holds them equal."""
    return [pair(f"ship it {k}", f"send it {k}") for k in range(n)]


async def test_both_directions_of_all_pairs_are_one_request(server, ask):
    assert await ask(pairs(3)) == [True] * 3
    (sent,) = server.asked
    assert sorted(map(tuple, sent)) == sorted(
        direction for one in pairs(3) for direction in ((one.a, one.b), (one.b, one.a))
    )


async def test_a_request_has_at_most_as_many_pairs_as_the_server_allows(server, ask):
    server.max_client_batch_size = 4
    assert await ask(pairs(5)) == [True] * 5
    assert sorted(map(len, server.asked)) == [2, 4, 4]


async def test_without_info_a_request_that_is_too_large_is_halved(server, ask):
    server.max_client_batch_size, server.info = 3, False
    assert await ask(pairs(4)) == [True] * 4
    assert [len(sent) for sent in server.asked][:1] == [8]
    assert sorted(len(sent) for sent in server.asked)[:4] == [2, 2, 2, 2]


async def test_a_text_too_long_for_the_model_differs_and_spoils_no_other(server, ask):
    asked = [*pairs(2), pair("ship " * 40, "order " * 40)]
    assert await ask(asked) == [True, True, False]


async def test_entailment_in_one_direction_only_never_merges(server, ask):
    server.model = RuleModel(by_length)
    assert await ask([pair("cancel the order please today", "cancel the order now")]) == [False]


async def test_a_contradiction_vetoes(server, ask):
    answer = [[{"label": "entailment", "score": 0.6}, {"label": "contradiction", "score": 0.4}]] * 2
    server.faults.append(json.dumps(answer).encode())
    assert await ask([pair(*CANCEL)], threshold=0.5) == [False]


@pytest.mark.parametrize("fault", [429, 503, 500, 0.6], ids=str)
async def test_what_may_pass_is_tried_again(server, ask, fault):
    server.faults.append(fault)
    assert await ask(pairs(2), timeout=0.3) == [True, True]
    assert len(server.asked) == 2


@pytest.mark.parametrize(
    ("faults", "words"), [([424], "status 424"), ([401], "status 401"), ([429] * 3, "status 429"), ([422], "422")]
)
async def test_what_does_not_pass_is_a_failed_measurement(server, ask, faults, words):
    server.faults.extend(faults)
    with pytest.raises(EntailmentError, match=words):
        await ask(pairs(2), headers={"authorization": "Bearer secret"})
    assert server.headers[-1]["authorization"] == "Bearer secret"


async def test_the_authorization_is_never_told(server, ask):
    server.faults.append(401)
    with pytest.raises(EntailmentError) as error:
        await ask(pairs(1), headers={"authorization": "Bearer secret"})
    assert "secret" not in str(error.value)


async def test_a_server_that_is_not_there_is_a_failed_measurement(ask):
    with pytest.raises(EntailmentError, match="ConnectError"):
        await ask(pairs(1), url="http://127.0.0.1:9", retries=0)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>",
        b"[" * 100_000,
        b"{}",
        b"[]",
        b"null",
        b"[null, null]",
        b'[["entailment"], ["entailment"]]',
        json.dumps(json.loads(YES)[:1]).encode(),
        YES.replace(b"0.98", b"NaN"),
        YES.replace(b"0.98", b"1.5"),
        YES.replace(b"0.98", b'"0.98"'),
        YES.replace(b"0.98", b"true"),
    ],
    ids=repr,
)
async def test_an_answer_that_is_not_of_the_form_is_a_failed_measurement(server, ask, body):
    server.faults.append(body)
    with pytest.raises(EntailmentError):
        await ask(pairs(1))


async def test_labels_that_do_not_tell_are_refused_unless_named(server, ask):
    server.model = RuleModel(lambda *_: "LABEL_1", {0: "LABEL_0", 1: "LABEL_1", 2: "LABEL_2"})
    with pytest.raises(ConfigError, match="LABEL_0"):
        await ask([pair(*CANCEL)])
    named = {"LABEL_0": "contradiction", "LABEL_1": "entailment"}
    assert await ask([pair(*CANCEL)], labels=named) == [True]


async def test_half_a_surrogate_pair_can_be_asked_about(server, ask):
    assert await ask([pair("ship \ud800", "send it")]) == [True]


def test_the_work_is_counted(server):
    judge = ServedNLIEntailment(server.url, batch_size=4)
    judge.equivalent(pairs(3))
    judge.equivalent([pair("ship", "ship"), pair("", "ship")])
    assert (judge.stats.rounds, judge.stats.pairs, judge.stats.inputs, judge.stats.batches) == (1, 3, 6, 2)


def test_the_name_has_the_address():
    assert ServedNLIEntailment("https://nli.example.org/predict").name == "nli-served:https://nli.example.org"
    assert ServedNLIEntailment("http://h", name="mine").name == "mine"


@pytest.mark.parametrize(
    "given",
    [
        {"url": "ftp://host"},
        {"url": "host"},
        {"url": "http://user:secret@host"},
        {"url": "http://host?key=secret"},
        {"threshold": 0.4},
        {"veto": 0},
        {"batch_size": 0},
        {"concurrency": 0},
        {"timeout": 0},
        {"retries": -1},
    ],
    ids=str,
)
def test_options_that_cannot_be_are_refused(given):
    with pytest.raises(ConfigError) as error:
        ServedNLIEntailment(**{"url": "http://host", **given})
    assert "secret" not in str(error.value)


def test_a_missing_package_names_the_extra(monkeypatch):
    monkeypatch.setattr("guardrail_transformers.served.find_spec", lambda name: None)
    with pytest.raises(MissingExtra, match=r"guardrail-middleware\[served\]"):
        ServedNLIEntailment("http://host")


def test_no_torch_is_loaded(server):
    code = (
        "import sys, guardrail_transformers as g; from guardrail.clustering import TextPair;"
        f"r = g.ServedNLIEntailment({server.url!r}).equivalent([TextPair(tool='t', argument='m', a='pay', b='ship')]);"
        "print(r, [m for m in ('torch', 'transformers', 'numpy') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[True] []"
