"""A calibrated policy as a JSON file that people can read: written the same way always, and believed only as far as its
evidence goes. Loading takes the standard library and the codec alone, because every guard loads it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from guardrail.calibration.binomial import at_most
from guardrail.codec import digest, from_json, to_json
from guardrail.errors import ConfigError
from guardrail.types import (
    CALIBRATION_VERSION,
    SCORE_KEYS,
    Attempts,
    CalibratedPolicy,
    CalibratedTier,
    Threshold,
    Tier,
    ToolEvidence,
)

EVERYTHING: Final = 2.0
"""``execute_below`` where every risk passed: above any risk there is."""
_EXACT: Final = 1e-6
"""By how much a stated probability may differ, relatively, from what its counts come to."""
_FIX: Final = "take back what was changed by hand, or run `guardrail calibrate` again"


def save_calibration(policy: CalibratedPolicy, path: Path | str) -> None:
    """Write it as JSON, whole or not at all; equal values always give the same bytes.

    Raises:
        ConfigError: its evidence does not support it, a number is not finite, or the file cannot be written.
    """
    path = Path(path)
    text = write_calibration(policy)
    part = path.with_name(path.name + ".part")
    try:
        part.write_text(text, encoding="utf-8", newline="\n")
        part.replace(path)
    except OSError as error:
        raise ConfigError(f"cannot write the calibration {path}: {error.strerror}") from error


def load_calibration(path: Path | str) -> CalibratedPolicy:
    """The calibrated policy of a file.

    Raises:
        ConfigError: the file cannot be read, is no calibration, or claims what its evidence does not support; the
            message has the place and the way out.
    """
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        said = f"cannot read the calibration {path}: {error.strerror}; `guardrail calibrate` makes one"
        raise ConfigError(said) from error
    except ValueError as error:
        raise ConfigError(f"{path} is no calibration: it is not UTF-8 text; {_FIX}") from error
    return read_calibration(text, str(path))


def calibration_digest(policy: CalibratedPolicy) -> str:
    """SHA-256, in hex, of all that decides and vouches for it; who adopted it, and when, leave it as it is."""
    data = _plain(policy)
    return digest({key: value for key, value in data.items() if key not in {"adopted_by", "adopted_at"}})


def write_calibration(policy: CalibratedPolicy) -> str:
    """The JSON text that ``save_calibration`` writes.

    Raises:
        ConfigError: its evidence does not support it, or a number is not finite.
    """
    try:
        data = _plain(policy)
        text = json.dumps(data, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    except (ValueError, TypeError) as error:
        raise ConfigError(f"this calibration cannot be written ({error}); {_FIX}") from error
    _check(policy, "this calibration")
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        # half a character in a tool's name has no bytes, but an escape
        text = json.dumps(data, indent=2, allow_nan=False) + "\n"
    return text


def read_calibration(text: str, where: str) -> CalibratedPolicy:
    """The calibrated policy of a JSON text; ``where`` names it in messages.

    Raises:
        ConfigError: it is no calibration, or claims what its evidence does not support.
    """
    try:
        data = json.loads(text, object_pairs_hook=_once, parse_constant=_constant, parse_float=_float)
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"{where} is no calibration ({error}); {_FIX}") from error
    if not isinstance(data, dict) or "version" not in data:
        raise ConfigError(f"{where} is no calibration: it must be an object with a version; {_FIX}")
    if data["version"] != CALIBRATION_VERSION or isinstance(data["version"], bool):
        raise ConfigError(
            f"{where}: its version is {data['version']!r}, and this package reads {CALIBRATION_VERSION}; "
            "update guardrail-middleware, or run `guardrail calibrate` again"
        )
    try:
        policy = from_json(CalibratedPolicy, data)
    except ConfigError as error:
        raise ConfigError(f"{where}: {error}; {_FIX}") from error
    _check(policy, where)
    return policy


def _check(policy: CalibratedPolicy, where: str) -> None:
    for place, problem in _problems(policy):
        raise ConfigError(f"{where}: {place}: {problem}; {_FIX}")


def _problems(policy: CalibratedPolicy) -> Iterator[tuple[str, str]]:
    if policy.look < 1:
        yield "look", f"it is {policy.look}, and the first is 1"
    if bool(policy.adopted_by) != bool(policy.adopted_at):
        yield "adopted_by, adopted_at", "one stands without the other"
    seen: set[Tier] = set()
    for number, tier in enumerate(policy.tiers):
        place = f"tiers[{number}] ({tier.tier.value})"
        if tier.tier in seen:
            yield place, "the tier stands twice"
        seen.add(tier.tier)
        for part, problem in _of_tier(tier):
            yield f"{place}{part}", problem


def _of_tier(tier: CalibratedTier) -> Iterator[tuple[str, str]]:
    if tier.tier is Tier.CRITICAL:
        yield "", "a critical call is always decided by a human: it has no threshold"
    for name, value in (("alpha", tier.alpha), ("delta", tier.delta)):
        if not 0 < value < 1:
            yield f".{name}", f"it is {value}, and must lie between 0 and 1"
    yield from _of_thresholds(tier)
    names = [one.tool for one in tier.tools]
    if len(set(names)) < len(names):
        yield ".tools", "a tool stands twice"
    for number, tool in enumerate(tier.tools):
        for problem in _of_tool(tool):
            yield f".tools[{number}]", problem
    unknown = sorted(set(tier.fingerprint) - set(SCORE_KEYS))
    if unknown:
        yield ".fingerprint", f"there is no {unknown[0]!r} in what a score depends on"
    if list(tier.scores) != sorted(tier.scores) or not all(0 <= one <= 1 for one in tier.scores):
        yield ".scores", "they must rise, from 0 at least to 1 at most"
    if min((tier.tasks, tier.unanswered, *tier.sources.values())) < 0:
        yield "", "a count is below 0"


def _of_thresholds(tier: CalibratedTier) -> Iterator[tuple[str, str]]:
    wanted = [one.attempts for one in tier.thresholds]
    if len(set(wanted)) < len(wanted) or (Attempts.ALL in wanted and len(wanted) > 1):
        yield ".thresholds", "two of them are for the same calls"
    # what was never tested has spent nothing
    if sum(one.delta for one in tier.thresholds if one.start) > tier.delta * (1 + _EXACT):
        yield ".thresholds", f"their deltas come to more than the tier's, {tier.delta}"
    for number, threshold in enumerate(tier.thresholds):
        for part, problem in _of_threshold(threshold, tier.alpha):
            yield f".thresholds[{number}]{part}", problem


def _of_threshold(one: Threshold, alpha: float) -> Iterator[tuple[str, str]]:
    if one.alpha != alpha:
        yield ".alpha", f"it is {one.alpha}, and the tier's is {alpha}"
    if not 0 < one.delta < 1:
        yield ".delta", f"it is {one.delta}, and must lie between 0 and 1"
        return
    if not 0 <= one.executed_errors <= one.errors <= one.n or not one.executed_errors <= one.executed <= one.n:
        yield "", "its counts contradict each other"
        return
    if one.errors - one.executed_errors > one.n - one.executed:
        yield "", "its counts contradict each other"
    if one.floor is not None and not 0 < one.floor <= 1:
        yield ".floor", f"it is {one.floor}, and must lie between 0 and 1"
    if one.execute_below is None:
        if one.refusal is None:
            yield "", "it has no threshold and no refusal that says why"
        return
    yield from _supported(one, one.execute_below)


def _supported(one: Threshold, below: float) -> Iterator[tuple[str, str]]:
    """What the counts of a threshold do not bear out."""
    if one.refusal is not None:
        yield ".execute_below", "there is a threshold beside the refusal of one"
    if not (0 < below <= 1 or below == EVERYTHING):
        yield ".execute_below", f"it is {below}; a risk is at most 1, and {EVERYTHING} stands for any risk"
    if below == EVERYTHING and one.executed < one.n:
        yield ".execute_below", "it lets every call run, and not every labelled one did"
    if one.floor is not None and below > one.floor:
        yield ".execute_below", f"it is above {one.floor}, where no call was labelled"
    if one.executed < 1 or not 1 <= one.start <= one.executed:
        yield "", "no cut was tested that the threshold can stand on"
        return
    if abs(one.coverage - one.executed / one.n) > _EXACT:
        yield ".coverage", f"{one.executed} of {one.n} are not {one.coverage}"
    found = at_most(one.executed_errors, one.executed, one.alpha)
    counts = f"{one.executed_errors} wrong of {one.executed}"
    if found > one.delta * (1 + _EXACT):
        yield (
            ".execute_below",
            f"{counts} do not support at most {one.alpha:g} wrong: p is {found:.4g}, above delta, {one.delta:.4g}",
        )
    if one.p_value is None or not _same(one.p_value, found):
        yield ".p_value", f"it is {one.p_value}, and {counts} give {found:.6g}"
    if one.upper is None or not _bounds(one.upper, one):
        yield ".upper", f"it is {one.upper}, which is not the upper bound of {counts} at delta {one.delta:.4g}"


def _same(stated: float, found: float) -> bool:
    # a tiny p-value is no stronger evidence for being one digit more exact
    return abs(stated - found) <= _EXACT * max(found, _EXACT)


def _bounds(upper: float, one: Threshold) -> bool:
    if one.executed_errors == one.executed:
        return upper == 1
    return 0 < upper <= 1 and abs(at_most(one.executed_errors, one.executed, upper) - one.delta) <= one.delta * 1e-4


def _of_tool(one: ToolEvidence) -> Iterator[str]:
    if not 0 <= one.executed_errors <= one.errors <= one.n or not one.executed_errors <= one.executed <= one.n:
        yield f"the counts of {one.tool!r} contradict each other"
    if not 0 <= one.lower <= one.upper <= 1:
        yield f"the bounds of {one.tool!r}, {one.lower} to {one.upper}, are none of a share"


def _plain(policy: CalibratedPolicy) -> dict[str, Any]:
    """Its JSON data with one order of keys and one form of every number."""
    # once there and back: 1 and 1.0 are equal, and are written alike
    data: dict[str, Any] = _settled(to_json(from_json(CalibratedPolicy, to_json(policy))))
    data["settings"] = dict(sorted(data["settings"].items()))
    for tier in data["tiers"]:
        tier["fingerprint"] = dict(sorted(tier["fingerprint"].items()))
        tier["sources"] = dict(sorted(tier["sources"].items()))
    return data


def _settled(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _settled(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_settled(inner) for inner in value]
    # -0.0 equals 0.0
    return value + 0.0 if isinstance(value, float) else value


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise ValueError(f"the key {key!r} stands twice in one object")
        found[key] = value
    return found


def _constant(constant: str) -> float:
    raise ValueError(f"{constant} is no number")


def _float(text: str) -> float:
    value = float(text)
    if value in (float("inf"), float("-inf")):
        raise ValueError(f"{text} is no finite number")
    return value
