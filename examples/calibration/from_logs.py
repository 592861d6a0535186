"""Thresholds with a promise, from logs that one has already: no model is asked.

    pip install 'guardrail-middleware[calibration]'
    cp calibration/policy.yaml my-policy.yaml
    python calibration/from_logs.py my-policy.yaml
    guardrail label --import labels.jsonl --by "the shop's checker" --probability 1
    guardrail calibrate --policy my-policy.yaml --plan 1,1 --no-vetoes --out proposal.json
    guardrail policy diff my-policy.yaml proposal.json
    guardrail policy adopt proposal.json --policy my-policy.yaml --write --by "$USER"
    python calibration/from_logs.py my-policy.yaml

``logs.jsonl`` has 145 requests to an agent of a small shop, one a line: what was asked, the call that a 1.5B model
planned, what it planned when it was asked eight times more, and whether the planned call was right, as a program that
knows the shop says. The guard scores them as if it had been there. The second time the adopted thresholds decide; calls
of another model, prompt or tool would not be covered, and would go to a person.
"""

import json
import sys
from collections import Counter
from itertools import islice
from pathlib import Path

from guardrail import Guard, PlanningStep, Policy, Sample, ToolCall, open_store
from guardrail.types import SampleBatch, SampleStatus, ToolSpec, Turn

LOGS = Path(__file__).parent / "logs.jsonl"


class Logged:
    """Instead of asking a model it reads what the model said then, at temperature 1."""

    name = "logged"

    def settings(self, _step):
        return {"temperature": "1"}

    def sample(self, step, n):
        return SampleBatch(samples=tuple(islice(step.request, n)))


def sample(calls):
    if calls is None:
        return Sample(status=SampleStatus.TRUNCATED)
    return Sample(calls=tuple(ToolCall(id=str(place), **call) for place, call in enumerate(calls)))


store = open_store("sqlite:///guardrail.db")
guard = Guard(Policy.load(sys.argv[1]), Logged(), store)
first, *lines = map(json.loads, LOGS.read_text("utf-8").splitlines())
tools = tuple(ToolSpec(**tool) for tool in first["tools"])
ends = Counter()
with Path("labels.jsonl").open("w") as labels:
    for number, line in enumerate(lines):
        step = PlanningStep(
            id=f"log-{number}",
            planned=sample([line["planned"]]),
            tools=tools,
            model=first["model"],
            request=map(sample, line["samples"]),
            conversation=(
                Turn(role="system", text=first["system"]),
                Turn(role="user", text=line["asked"]),
            ),
        )
        step = guard.assess(step)
        labels.write(json.dumps({"record": step.record_id, "correct": line["correct"]}) + "\n")
        (verdict,) = step.verdicts
        ends[f"{verdict.route} ({'calibrated' if verdict.calibrated else 'uncalibrated'})"] += 1
store.close()
for end, count in sorted(ends.items()):
    print(count, end)
