"""Adopting a proposal: where its two files go, and the lines that the policy needs to name them."""

from __future__ import annotations

import shutil
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from guardrail.calibration import RiskModel, load_calibration, save_calibration
from guardrail.cli.policy.changes import Rules
from guardrail.errors import ConfigError, PolicyError
from guardrail.policy import Policy
from guardrail.types import CalibratedPolicy

_NAMES: Final = {"risk_model": "risk.json", "calibration": "calibration.json"}
_DIGITS: Final = 12


@dataclass(frozen=True, kw_only=True)
class Adoption:
    """A proposal with its risk model, and the policy that it is adopted for; ``lines`` are what the policy lacks."""

    path: Path
    policy: Policy
    proposal: CalibratedPolicy
    model: RiskModel
    current: CalibratedPolicy | None
    calibration: Path
    risk: Path
    lines: tuple[str, ...]

    def text(self) -> bytes:
        """The policy's file with the lines that it lacks, and every other byte as it was.

        Raises:
            ConfigError: they cannot be added at the end.
        """
        before = self.path.read_bytes()
        end = b"\r\n" if b"\r\n" in before else b"\n"
        after = before + (b"" if before.endswith(b"\n") else end) + b"".join(one.encode() + end for one in self.lines)
        part = self.path.with_name(f".{self.path.name}.check")
        try:
            part.write_bytes(after)
            Policy.load(part)
        except PolicyError as error:
            raise ConfigError(
                f"{self.path} cannot take lines at its end: add {' and '.join(self.lines)} at its top level yourself"
            ) from error
        finally:
            part.unlink(missing_ok=True)
        return after


def proposal_of(path: Path, model: Path | None, policy: Policy | None) -> tuple[CalibratedPolicy, RiskModel]:
    """A proposal and the risk model that its thresholds are about.

    The model is the file given, else the one beside the proposal (``NAME.risk.json``), else the policy's own.

    Raises:
        ConfigError: one of them cannot be read, or none is the model of the proposal.
    """
    proposal = load_calibration(path)
    beside = path.with_name(f"{path.stem}.risk.json")
    places = (
        [model] if model is not None else [beside, *([Path(policy.risk_model)] if policy and policy.risk_model else [])]
    )
    seen = []
    for place in places:
        if model is None and not place.exists():
            continue
        found = RiskModel.load(place)
        if found.digest == proposal.risk_model:
            return proposal, found
        seen.append(f"{place} is {found.digest[:_DIGITS]}")
    raise ConfigError(
        f"{path} is about the risk model {proposal.risk_model[:_DIGITS] or 'none'}, and "
        + (" and ".join(seen) or f"{beside} is not there")
        + ": name its file with --risk-model"
    )


def prepared(path: Path, proposed: Path, model: Path | None) -> Adoption:
    """Everything that adopting takes, checked.

    Raises:
        ConfigError: a file cannot be read, or the proposal is none for this policy.
    """
    policy = Policy.load(path)
    proposal, risk = proposal_of(proposed, model, policy)
    Rules.proposed(policy, proposal, risk, str(proposed), judge="")
    given = {"risk_model": policy.risk_model, "calibration": policy.calibration}
    places = {key: Path(given[key] or path.parent / name) for key, name in _NAMES.items()}
    return Adoption(
        path=path,
        policy=policy,
        proposal=proposal,
        model=risk,
        current=load_calibration(policy.calibration)
        if policy.calibration and Path(policy.calibration).exists()
        else None,
        calibration=places["calibration"],
        risk=places["risk_model"],
        lines=tuple(f"{key}: {name}" for key, name in _NAMES.items() if given[key] is None),
    )


def adopt(adoption: Adoption, *, by: str, at: str, write: bool) -> list[str]:
    """Write calibration and risk model beside the policy, and keep what was there; what was written, in words.

    The calibration is written last: until then a guard refuses the new risk model with the old thresholds.

    Raises:
        ConfigError: a file cannot be written, or (``write``) the policy cannot take the lines it lacks.
    """
    policy = adoption.text() if write and adoption.lines else None
    done = []
    try:
        for place in (adoption.risk, adoption.calibration):
            if place.exists():
                kept = place.with_name(f"{place.stem}.before{place.suffix}")
                shutil.copyfile(place, kept)
                done.append(f"kept {place} as {kept}")
        part = adoption.risk.with_name(adoption.risk.name + ".part")
        adoption.model.save(part)
        part.replace(adoption.risk)
        done.append(f"wrote {adoption.risk}")
        save_calibration(replace(adoption.proposal, adopted_by=by, adopted_at=at), adoption.calibration)
        done.append(f"wrote {adoption.calibration}")
        if policy is not None:
            _replace(adoption.path, policy)
            done.append(f"added {', '.join(adoption.lines)} to {adoption.path}")
    except OSError as error:
        raise ConfigError(f"cannot write {error.filename or adoption.calibration}: {error.strerror}") from error
    return done


def _replace(path: Path, content: bytes) -> None:
    part = path.with_name(path.name + ".part")
    part.write_bytes(content)
    shutil.copymode(path, part)
    part.replace(path)
