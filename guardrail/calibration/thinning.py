"""Labels that were drawn with unequal probabilities, made a sample in which every call is as likely as any other.

Unweighted, calls that were likelier to be judged count too much, and a promise about all calls fails. A call that was
judged with probability p stays with probability least / p, where ``least`` is that of the least likely: then each is
there with probability ``least``, and exact tests hold. The draw goes by digest of the call's id, so it depends on
neither order nor label.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256
from typing import Any

from guardrail.calibration.libraries import needed
from guardrail.errors import ConfigError


def kept(ids: Sequence[str], probabilities: Any, *, seed: int) -> Any:
    """Which calls stay: a boolean for each id.

    Raises:
        ConfigError: there are not as many probabilities as ids, or one is not in (0, 1].
    """
    np = needed("numpy")
    chances = np.asarray(probabilities, dtype=float)
    if chances.shape != (len(ids),):
        raise ConfigError(f"there are {len(ids)} ids and probabilities of the shape {chances.shape}: give one an id")
    bad = np.flatnonzero(~((chances > 0) & (chances <= 1)))
    if len(bad):
        raise ConfigError(
            f"the label of {ids[bad[0]]!r} had a probability of {chances[bad[0]]}: it must be more than 0 and at most 1"
        )
    if not len(chances) or (chances == chances[0]).all():
        return np.ones(len(chances), dtype=bool)
    return uniform(ids, f"thin {seed}") * chances < chances.min()


def thin(ids: Sequence[str], probabilities: Any, seed: int) -> Any:
    """The places of the calls that stay (``kept``), ascending."""
    return needed("numpy").flatnonzero(kept(ids, probabilities, seed=seed))


def uniform(names: Sequence[str], salt: str) -> Any:
    """A number in [0, 1) for each name, uniform over names, and the same for the same name and salt."""
    np = needed("numpy")
    start = sha256(f"{salt}\0".encode())

    def one(name: str) -> int:
        found = start.copy()
        found.update(name.encode("utf-8", "surrogatepass"))
        return int.from_bytes(found.digest()[:8], "big") >> 11

    return np.fromiter(map(one, names), dtype=np.uint64, count=len(names)) / 2.0**53
