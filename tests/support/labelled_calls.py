"""Labelled calls of a made-up agent, drawn from a seed: what a report shows when nothing else is at hand.

Nothing in them was measured on a model. Each call has a hidden chance of being wrong; its signals are noisy views of it.
"""

from __future__ import annotations

import math
import random
from typing import Any

from guardrail.types import SCORE_KEYS, LabelledCall, LabelSource, Route, Tier

TOOLS = {
    Tier.LOW: {"search_web": 0.4, "read_calendar": 0.35, "get_weather": 0.25},
    Tier.MEDIUM: {"create_ticket": 0.55, "send_message": 0.3, "update_contact": 0.15},
    Tier.HIGH: {"refund_order": 0.6, "delete_file": 0.38, "wire_transfer": 0.02},
}
SHARE = {Tier.LOW: 0.5, Tier.MEDIUM: 0.35, Tier.HIGH: 0.15}
WRONG = {Tier.LOW: 0.33, Tier.MEDIUM: 0.22, Tier.HIGH: 0.09}


def simulated(n: int = 2400, *, seed: int = 5, samples: int = 8, **more: Any) -> list[LabelledCall]:
    """Calls of about n / 3 tasks over three tiers, each judged with a known probability."""
    chance = random.Random(seed)
    return [_call(number, chance, samples, more) for number in range(n)]


def _call(number: int, chance: random.Random, samples: int, more: dict[str, Any]) -> LabelledCall:
    tier = chance.choices(list(SHARE), list(SHARE.values()))[0]
    tool = chance.choices(list(TOOLS[tier]), list(TOOLS[tier].values()))[0]
    wrong = chance.random() < WRONG[tier] * (1.8 if tool in {"get_weather", "update_contact"} else 0.85)
    # how sure the model is: less so, mostly, where it is wrong
    sure = chance.gauss(-0.1 if wrong else 1.5, 1.0)
    share = 1 / (1 + math.exp(-1.6 * sure))
    agreeing = sum(chance.random() < share for _ in range(samples))
    rest = samples - agreeing
    entropy = 0.0
    if rest:
        groups = [agreeing, *([rest] if chance.random() < 0.5 else [1] * rest)]
        entropy = -sum(one / samples * math.log(one / samples) for one in groups if one)
    retried = chance.random() < 0.12
    executed = agreeing == samples
    values: dict[str, Any] = {
        "id": f"call-{number:05d}",
        "tier": tier,
        "tool": tool,
        "correct": not wrong,
        "probability": 0.25,
        "risk": None,
        "signals": {
            "agreement": agreeing / samples,
            "semantic_entropy": entropy,
            "logprob_mean": -abs(chance.gauss(0.35, 0.25)) - 0.35 * (1 - share),
        },
        "source": LabelSource.AUDIT,
        "by": "ann" if number % 3 else "ben",
        "at": f"2025-0{1 + number % 3}-{1 + number % 28:02d}T09:00:00+00:00",
        "task": f"task-{number // 3:04d}",
        "attempt": int(retried),
        "route": Route.EXECUTE if executed else Route.REVIEW,
        "fingerprint": dict.fromkeys(SCORE_KEYS, "")
        | {
            "model": "simulated-1",
            "temperature": "1",
            "prompt": "3f1c9a52",
            "tools": "b7d04e19",
            "samples": str(samples),
            "stopping": "none",
            "entailment": "structure",
            "clustering": "2",
        },
    }
    return LabelledCall(**{**values, **more})
