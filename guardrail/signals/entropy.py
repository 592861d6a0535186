"""Semantic entropy: how spread the samples are over meanings (Farquhar et al. 2024), in nats.

It is about the spread and not about the plan: a planned call outside a unanimous majority has entropy 0
and is still wrong. The plug-in estimate is biased low at small N.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterable, Sequence


def discrete_entropy(counts: Iterable[int]) -> float:
    """``-sum (n_k / n) ln (n_k / n)`` over the sizes n_k of the meanings, in nats.

    Raises:
        ValueError: a size is negative, or there is no sample.
    """
    sizes = list(counts)
    if any(size < 0 for size in sizes) or not sum(sizes):
        raise ValueError(f"entropy needs samples, not cluster sizes {sizes}")
    return _entropy([size / sum(sizes) for size in sizes])


def weighted_entropy(clusters: Iterable[Iterable[tuple[Hashable, float]]]) -> float:
    """Entropy, in nats, over meanings weighted by how likely the model finds their members.

    ``p_k`` is proportional to the sum of ``exp(mean token log-probability)`` over the distinct members of
    meaning k (Farquhar et al. 2024, length-normalised). A member is what was generated and its mean token
    log-probability; the same generation drawn twice counts once, with the mean of what was reported.

    Raises:
        ValueError: there is no member, or a log-probability is not finite.
    """
    logs = [_log_weight(cluster) for cluster in clusters]
    weights = [log for log in logs if log is not None]
    if not weights:
        raise ValueError("entropy needs samples, and there are none")
    total = _log_sum_exp(weights)
    return _entropy([math.exp(log - total) for log in weights])


def entropy_bounds(counts: Iterable[int], remaining: int) -> tuple[float, float]:
    """The least and the greatest discrete entropy, in nats, that ``remaining`` further samples can lead to.

    Least where all join the largest meaning, greatest where each is a meaning of its own.
    """
    sizes = sorted(counts)
    least = discrete_entropy([*sizes[:-1], sum(sizes[-1:]) + remaining])
    return least, discrete_entropy([*sizes, *[1] * remaining])


def _entropy(shares: Sequence[float]) -> float:
    found = -math.fsum(share * math.log(share) for share in shares if share > 0)
    return max(0.0, found)


def _log_weight(cluster: Iterable[tuple[Hashable, float]]) -> float | None:
    reported: dict[Hashable, list[float]] = {}
    for generation, logprob in cluster:
        if not math.isfinite(logprob):
            raise ValueError(f"a log-probability is {logprob}, which is no evidence")
        reported.setdefault(generation, []).append(logprob)
    return _log_sum_exp([math.fsum(values) / len(values) for values in reported.values()]) if reported else None


def _log_sum_exp(values: Sequence[float]) -> float:
    top = max(values)
    return top + math.log(math.fsum(math.exp(value - top) for value in values))
