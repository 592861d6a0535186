"""Pictures of a simulation: what labels buy, and what reviewing then takes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from guardrail.calibration.simulation import Forecast
from guardrail.cli.bench.pictures import Curve, lines
from guardrail.cli.simulate.view import Traffic
from guardrail.errors import ConfigError


def draw(found: Sequence[Forecast], traffic: Traffic, folder: Path, suffix: str) -> list[Path]:
    """Coverage and reviews a day against labels, a curve for each pool and target.

    Raises:
        ConfigError: the folder cannot be made, or a picture not be written.
        MissingExtra: matplotlib is not installed.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(f"cannot make the folder {folder}: {error.strerror}") from error
    keys = dict.fromkeys((one.pool, one.alpha) for one in found)
    by_key = {key: [one for one in found if (one.pool, one.alpha) == key] for key in keys}
    coverage = [
        Curve(
            name=f"{pool}, at most {alpha:.3g} wrong",
            x=[one.labels for one in part],
            y=[one.coverage for one in part],
            low=[one.low for one in part],
            high=[one.high for one in part],
        )
        for (pool, alpha), part in by_key.items()
    ]
    reviews = [
        Curve(
            name=f"{pool}, at most {alpha:.3g} wrong",
            x=[one.labels for one in part],
            y=[traffic.staff(one.coverage).reviews for one in part],
        )
        for (pool, alpha), part in by_key.items()
    ]
    return [
        lines(coverage, folder / f"coverage{suffix}", title="What labels buy", x="labels", y="runs without a human"),
        lines(reviews, folder / f"reviews{suffix}", title="What is left to people", x="labels", y="reviews a day"),
    ]
