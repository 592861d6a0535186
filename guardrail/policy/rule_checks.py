"""Whether a rule can be used as it is written."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Mapping, Sequence

from guardrail.policy.conditions import parse_when
from guardrail.policy.defaults import COMPARATORS, is_comparator
from guardrail.policy.problems import PolicyProblem, unknown
from guardrail.policy.reviewing_checks import check_reviewers, check_timeout
from guardrail.policy.rules import ANNOTATIONS, Rule, qualified_name
from guardrail.types import DecisionType, Tier


def check_rule(rule: Rule, path: str, own: Iterable[str] = ()) -> None:
    """Whether everything in a rule is of its kind; ``own`` are names of comparators that are not of this package.

    Raises:
        PolicyProblem: no.
    """
    if not rule.patterns or not all(isinstance(name, str) and name for name in rule.patterns):
        raise PolicyProblem(f"{path}.match", "must be a tool's name, a pattern with *, or a list of them")
    if not isinstance(rule.tier, Tier):
        raise PolicyProblem(f"{path}.tier", unknown("tier", rule.tier, Tier))
    if isinstance(rule.when, Mapping):
        parse_when(rule.when, f"{path}.when")
    elif rule.when is not None:
        check_function(rule.when, f"{path}.when")
    _check_annotations(rule.annotations, f"{path}.annotations")
    if rule.decisions is not None:
        _check_decisions(rule.decisions, f"{path}.decisions")
    for argument, comparator in rule.arguments.items():
        if not is_comparator(comparator) and comparator not in own:
            raise PolicyProblem(f"{path}.arguments.{argument}", unknown("comparator", comparator, (*COMPARATORS, *own)))
    if rule.timeout is not None:
        check_timeout(rule.timeout, f"{path}.timeout")
    if rule.reviewers is not None:
        check_reviewers(rule.reviewers, f"{path}.reviewers")


def check_function(when: object, path: str) -> None:
    """Whether it can be asked about a call.

    Raises:
        PolicyProblem: it is no function, or an async one.
    """
    if not callable(when):
        raise PolicyProblem(
            path, f"must be a function (or, in a rule, a mapping of arguments to conditions), not {when!r}"
        )
    called = getattr(when, "__call__", when)  # noqa: B004  an object may be callable through an async __call__
    if inspect.iscoroutinefunction(when) or inspect.iscoroutinefunction(called):
        raise PolicyProblem(
            path, f"{qualified_name(when)} is async; a policy is resolved without waiting: make it plain"
        )


def _check_annotations(annotations: Mapping[str, object], path: str) -> None:
    for name, value in annotations.items():
        if name not in ANNOTATIONS:
            raise PolicyProblem(f"{path}.{name}", unknown("annotation", name, ANNOTATIONS))
        if not isinstance(value, bool):
            raise PolicyProblem(f"{path}.{name}", f"must be true or false, not {value!r}")


def _check_decisions(decisions: Sequence[object], path: str) -> None:
    if not decisions:
        raise PolicyProblem(path, "is empty; a reviewer must be able to answer: name decisions or remove it")
    for decision in decisions:
        if not isinstance(decision, DecisionType):
            raise PolicyProblem(path, unknown("decision", decision, DecisionType))
    if len(set(decisions)) != len(decisions):
        raise PolicyProblem(path, "names a decision twice")
