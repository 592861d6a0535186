"""A risk model as a JSON file that people can read: written the same way always, checked on the way in."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from guardrail import catalogue
from guardrail.calibration.scales import Doubt, Scale
from guardrail.codec import unique_keys
from guardrail.errors import ConfigError
from guardrail.types import Safer

if TYPE_CHECKING:
    from guardrail.calibration.risk_model import RiskModel

MODEL_VERSION: Final = 1
_KEYS: Final = frozenset({"version", "signals", "intercept", "patterns", "fitted"})


def write_model(model: RiskModel) -> str:
    """The model as JSON text: its keys in order, a line each, no number that is not finite."""
    data = {
        "version": MODEL_VERSION,
        "intercept": model.intercept,
        "signals": [
            {
                "name": one.name,
                "coefficient": one.coefficient,
                "safer": one.doubt.safer.value,
                "scale": one.doubt.scale.value,
                "origin": one.doubt.origin,
                "unit": one.doubt.unit,
                "missing": one.missing,
            }
            for one in model.inputs
        ],
        "patterns": [
            {"missing": sorted(one.missing), "raises": one.raises, "n": one.n, "errors": one.errors}
            for one in model.patterns
        ],
        "fitted": dict(model.facts),
    }
    return json.dumps(data, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def read_model(path: Path) -> RiskModel:
    """The model of a file.

    Raises:
        ConfigError: the file cannot be read, is no such model, or a signal of it is not installed here, or turned.
    """
    try:
        data = json.loads(path.read_text(encoding="utf-8"), object_pairs_hook=unique_keys, parse_constant=_finite)
        return _model(data)
    except OSError as error:
        raise ConfigError(f"cannot read the risk model {path}: {error.strerror}") from error
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        said = f"{error} is missing" if isinstance(error, KeyError) else str(error)
        raise ConfigError(f"{path} is no risk model ({said}); fit it again and save it") from error


def _model(data: Any) -> RiskModel:
    from guardrail.calibration.risk_model import Input, Pattern, RiskModel

    if not isinstance(data, dict) or set(data) != _KEYS:
        raise ValueError(f"it must be an object with {', '.join(sorted(_KEYS))}")
    if data["version"] != MODEL_VERSION:
        raise ValueError(f"its version is {data['version']!r}, and this package reads {MODEL_VERSION}")
    if not isinstance(data["fitted"], dict):
        raise TypeError("'fitted' must be an object")
    for one in data["signals"]:
        _check_known(one["name"], one["safer"])
    return RiskModel(
        inputs=tuple(
            Input(
                name=one["name"],
                coefficient=_number(one, "coefficient"),
                doubt=Doubt(
                    safer=Safer(one["safer"]),
                    scale=Scale(one["scale"]),
                    origin=_number(one, "origin"),
                    unit=_number(one, "unit"),
                ),
                missing=_number(one, "missing"),
            )
            for one in data["signals"]
        ),
        intercept=_number(data, "intercept"),
        patterns=tuple(
            Pattern(
                missing=frozenset(map(str, one["missing"])),
                raises=_number(one, "raises"),
                n=int(_number(one, "n")),
                errors=int(_number(one, "errors")),
            )
            for one in data["patterns"]
        ),
        facts=data["fitted"],
    )


def _check_known(name: str, safer: str) -> None:
    info = catalogue.info(name)
    if info is None:
        raise ValueError(f"there is no signal {name!r} here: install the package that brings it")
    if info.safer.value != safer:
        raise ValueError(f"the signal {name!r} is safer where it is {info.safer}, and was where it is {safer}")


def _number(data: Mapping[str, Any], key: str) -> float:
    value = data[key]
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError(f"{key!r} is {value!r}, which is no finite number")
    return float(value)


def _finite(constant: str) -> float:
    raise ValueError(f"{constant} is no number")
