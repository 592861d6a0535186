"""The recorded model answers as recorded, never more than was recorded, and says where recordings end."""

import pytest
from langchain_core.messages import AIMessage, HumanMessage, SystemMessage, ToolMessage

from guardrail.errors import SamplingError
from guardrail_langgraph.demo.recorded import NO_RECORDING, RecordedChatModel
from guardrail_langgraph.demo.recording import Drawn, RecordedStep, Recording, from_data, request_digest, to_data
from guardrail_langgraph.messages import answer_from_result

TASK = "Pay Ann."


def drawn(amount, id_="c1"):
    call = {"name": "pay", "args": {"amount": amount}, "id": id_, "type": "tool_call"}
    return Drawn(calls=(call,), finish_reason="tool_calls", tokens=(("pay", -0.5), (str(amount), -1.0)))


def said(text):
    return Drawn(text=text, finish_reason="stop", tokens=((text, -0.1),))


FIRST = [SystemMessage("s"), HumanMessage(TASK)]


@pytest.fixture
def model():
    samples = tuple(drawn(amount, f"s{amount}") for amount in range(8))
    steps = {
        "": RecordedStep(request=request_digest(FIRST, []), plan=drawn(5), samples=samples, prompt_tokens=100),
        "retry": RecordedStep(request="r", plan=drawn(6, "c2"), samples=(drawn(60), drawn(61))),
        "executed": RecordedStep(request="r", plan=said("paid")),
        "rejected": RecordedStep(request="r", plan=said("not paid")),
        "retry/executed": RecordedStep(request="r", plan=said("paid after all")),
    }
    recording = Recording(task="pay", text=TASK, model="m", server="s", date="2026-01-01", steps=steps)
    return RecordedChatModel(recordings={TASK: recording}, model_name="m (recorded)")


def draw(model, messages, n):
    result = model._generate(messages, n=n, temperature=1.0)
    return result, [generation.message.tool_calls[0]["args"]["amount"] for generation in result.generations]


def after(model, outcome, *, args=None, text="x"):
    plan = model.invoke(FIRST)
    if args is not None:
        plan.tool_calls[0]["args"] = args
    kwargs = {"guardrail": {"outcome": outcome}} if outcome else {}
    return [*FIRST, plan, ToolMessage(text, tool_call_id="c1", additional_kwargs=kwargs)]


def test_without_a_temperature_it_plans_as_recorded(model):
    plan = model.invoke(FIRST)
    assert plan.tool_calls[0]["args"] == {"amount": 5}
    assert plan.response_metadata["logprobs"]["content"][1] == {"token": "5", "logprob": -1.0}
    assert plan.usage_metadata["input_tokens"] == 100


def test_n_samples_come_in_order_and_each_once_for_a_plan(model):
    assert draw(model, FIRST, 3)[1] == [0, 1, 2]
    assert draw(model, FIRST, 3)[1] == [3, 4, 5]
    assert draw(model, FIRST, 3)[1] == [6, 7]
    with pytest.raises(SamplingError, match="all 8 recorded samples"):
        draw(model, FIRST, 1)
    model.invoke(FIRST)
    assert draw(model, FIRST, 1)[1] == [0]


def test_copies_of_the_model_never_give_out_a_sample_twice(model):
    assert draw(model, FIRST, 4)[1] == [0, 1, 2, 3]
    assert draw(model.model_copy(update={"temperature": 1.0}), FIRST, 8)[1] == [4, 5, 6, 7]


def test_samples_are_independent_by_their_provenance_and_cost_what_their_tokens_say(model):
    answers = [answer_from_result(_as_llm_result(draw(model, FIRST, n)[0])) for n in (3, 5)]
    places = [(sample.response_id, sample.choice) for answer in answers for sample in answer.samples]
    assert len(set(places)) == 8
    assert [answer.usage.completion_tokens for answer in answers] == [6, 10]
    assert [answer.usage.prompt_tokens for answer in answers] == [100, 100]


def _as_llm_result(result):
    from langchain_core.outputs import LLMResult

    return LLMResult(generations=[result.generations], llm_output=result.llm_output)


@pytest.mark.parametrize(
    ("outcome", "next_words"),
    [(None, "paid"), ("rejected", "not paid"), ("responded", NO_RECORDING), ("superseded", NO_RECORDING)],
)
def test_the_next_step_is_keyed_by_what_became_of_the_call(model, outcome, next_words):
    assert model.invoke(after(model, outcome)).text == next_words


def test_a_step_planned_again_has_a_plan_and_samples_of_its_own(model):
    again = after(model, "retry")
    assert model.invoke(again).tool_calls[0]["args"] == {"amount": 6}
    assert draw(model, again, 8)[1] == [60, 61]
    done = [*again, model.invoke(again), ToolMessage("ok", tool_call_id="c2")]
    assert model.invoke(done).text == "paid after all"


def test_no_recording_goes_on_after_an_edit_or_for_another_request(model):
    assert model.invoke(after(model, None, args={"amount": 50})).text == NO_RECORDING
    assert model.invoke([HumanMessage("Something else")]).response_metadata["replay"] == "none"
    with pytest.raises(SamplingError, match="no recording"):
        draw(model, [HumanMessage("Something else")], 1)


def test_it_says_whether_the_request_is_the_recorded_one(model):
    assert model.invoke(FIRST).response_metadata["replay"] == "exact"
    other = [SystemMessage("other"), HumanMessage(TASK)]
    assert model.invoke(other).response_metadata["replay"] == "other words"


def test_tools_can_be_bound(model):
    bound = model.bind_tools([{"type": "function", "function": {"name": "pay", "parameters": {}}}])
    assert isinstance(bound.invoke(FIRST), AIMessage)
    assert bound.kwargs["tools"][0]["function"]["name"] == "pay"


def test_a_recording_survives_its_file_form(model):
    recording = model.recordings[TASK]
    assert from_data(to_data(recording)) == recording
