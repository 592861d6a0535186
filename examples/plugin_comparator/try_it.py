"""What a comparator of one's own changes: five samples order one part, and write it in four ways.

    pip install guardrail-middleware
    python plugin_comparator/try_it.py

Here it is given to the policy. Installed (``pip install ./plugin_comparator``) it has its name in every policy file,
and for the commands, too: ``arguments: {part: acme.part_number}``.
"""

from part_number import PartNumber

from guardrail import Guard, PlanningStep, Policy, Sample, ToolCall, open_store
from guardrail.sampling import ScriptedSampler
from guardrail.types import ToolSpec

ORDER = ToolSpec(name="order", parameters={"type": "object", "properties": {"part": {"type": "string"}}})
RULES = {
    "as texts": {"tools": [{"match": "order", "tier": "medium"}]},
    "as part numbers": {"tools": [{"match": "order", "tier": "medium", "arguments": {"part": "acme.part_number"}}]},
}


def plan(part):
    return Sample(calls=(ToolCall(name="order", arguments={"part": part}),))


for name, rules in RULES.items():
    policy = Policy.parse(rules, comparators={"acme.part_number": PartNumber})
    samples = [plan(part) for part in ("AB-0012", "ab12", "AB 12", "AB-0012", "ab-012")]
    guard = Guard(policy, ScriptedSampler(samples), open_store("memory://"), curtail=False)
    step = PlanningStep(id=name, planned=plan("AB-0012"), tools=(ORDER,), model="m", request="logged")
    (verdict,) = guard.assess(step).verdicts
    agreement = next(signal.value for signal in verdict.signals if signal.name == "agreement")
    print(f"{name}: agreement {agreement:.0%}, {verdict.route}")
