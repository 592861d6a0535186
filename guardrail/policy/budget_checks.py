"""Whether a budget can be kept."""

from __future__ import annotations

from guardrail.policy.problems import PolicyProblem
from guardrail.policy.stage_checks import real
from guardrail.policy.stages import Budget


def check_budget(budget: Budget) -> None:
    """Whether every limit is one, and every limit on money has prices.

    Raises:
        PolicyProblem: no.
    """
    for name, price in budget.prices.items():
        if not isinstance(name, str) or not name:
            raise PolicyProblem("prices", f"must go from a model's name, or '*', to its price, not from {name!r}")
        for part, value in (("prompt", price.prompt), ("completion", price.completion)):
            if not real(value) or value < 0:
                raise PolicyProblem(
                    f"prices.{name}.{part}", f"must be money for a million tokens, at least 0, not {value!r}"
                )
    for scope, limits in (("step", budget.step), ("thread", budget.thread), ("day", budget.day)):
        tokens = limits.tokens
        if tokens is not None and (not isinstance(tokens, int) or isinstance(tokens, bool) or tokens < 1):
            raise PolicyProblem(f"budget.{scope}.tokens", f"must be a whole number above 0, not {tokens!r}")
        for name, amount in (("seconds", limits.seconds), ("money", limits.money)):
            if amount is not None and (not real(amount) or amount <= 0):
                raise PolicyProblem(f"budget.{scope}.{name}", f"must be a number above 0, not {amount!r}")
        if limits.money is not None and not budget.prices:
            raise PolicyProblem(
                f"budget.{scope}.money",
                "cannot be counted without prices; add 'prices: {\"*\": {prompt: ..., completion: ...}}', "
                "in money for a million tokens",
            )
