"""The demo's course: from records over labels to a calibrated policy, a guard that runs on it, and a report."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Final

import click

from guardrail.calibration.libraries import needed
from guardrail.errors import ConfigError
from guardrail.policy import Policy
from guardrail.store import Store, open_store
from guardrail.types import CalibratedPolicy, Record, Threshold, Tier
from guardrail_langgraph.demo.labelled.recorded_requests import load
from guardrail_langgraph.demo.labelled.runs import run
from guardrail_langgraph.demo.labelled.shown import Planned, Told
from guardrail_langgraph.demo.labelled.traffic import Request, requests
from guardrail_langgraph.demo.recorded import RecordedChatModel
from guardrail_langgraph.demo.recording import Recording

CHECKER: Final = "guardrail_langgraph.demo.labelled.checker"
BY: Final = "shop-checker"
HELD_BACK: Final = 5
"""One in so many recorded requests, the newest ones, is held back: no label of it is used."""
ANOTHER: Final = "another-model-7b"
_STORE: Final = "demo-label.db"
"""By this name an earlier run is known, whose files may be written over."""
_OWN: Final = (
    _STORE,
    "policy.yaml",
    "proposal.json",
    "proposal.risk.json",
    "risk.json",
    "calibration.json",
    "report.html",
)
_LEFT_BEHIND: Final = ("-wal", "-shm", "-journal")
_AUDIT_ALL: Final = "audit: 1}"
_AUDIT_SOME: Final = "audit: 0.1}"


@dataclass(frozen=True, kw_only=True)
class Settings:
    """``folder`` keeps everything, ``report`` is the page. ``ask``: a person adopts; ``by_hand``: a person judges."""

    folder: Path
    report: Path
    by: str
    ask: bool = True
    by_hand: bool = False
    most: int | None = None
    """Only so many of the recorded requests; None: all."""


class Course:
    """Runs the demo part by part; each part leaves its result in the folder.

    ``command`` runs a command line of guardrail in this process and gives its exit code.
    """

    def __init__(self, settings: Settings, told: Told, command: Callable[[Sequence[str]], int]) -> None:
        for name in ("numpy", "scipy", "sklearn", "polars"):
            needed(name)  # before anything is shown, not half-way
        self._settings = settings
        self._told = told
        self._command = command
        self._recordings = load()
        recorded = [one for one in requests(len(self._recordings)) if one.text in self._recordings]
        recorded = recorded[: settings.most]
        held = len(recorded) // HELD_BACK
        self._past, self._held = recorded[: len(recorded) - held], recorded[len(recorded) - held :]
        self._policy_file = settings.folder / "policy.yaml"
        self._proposal_file = settings.folder / "proposal.json"
        self._calibration_file = settings.folder / "calibration.json"

    def run(self) -> bool:
        """The whole course; False where no tier could be certified, or nobody adopted the proposal.

        Raises:
            GuardrailError: something cannot be used or written.
        """
        self._begin()
        past = self._records()
        self._labels(past)
        if not self._propose():
            self._report(self._proposal_file)
            self._end()
            return False
        self._compare()
        if not self._adopt():
            return False
        self._report(self._calibration_file)
        self._run_calibrated()
        self._run_another()
        self._end()
        return True

    def _begin(self) -> None:
        folder = self._settings.folder
        folder.mkdir(parents=True, exist_ok=True)
        if not (folder / _STORE).exists() and any(folder.iterdir()):
            raise ConfigError(f"{folder} is not empty, and not of an earlier run: name another folder with --folder")
        for name in _OWN:
            for end in ("", *_LEFT_BEHIND):
                (folder / f"{name}{end}").unlink(missing_ok=True)
        source = files(__package__).joinpath("policy.yaml")
        self._policy_file.write_text(source.read_text("utf-8"), encoding="utf-8")

    def _records(self) -> list[Planned]:
        first = self._first
        self._told.part(
            "Records",
            f"{len(self._past)} requests of clerks, drawn at random. {first.model} planned each of them once and was "
            f"asked eight times more ({first.date}, {first.server}; replayed offline). The guard decides by its "
            "default rule, which nobody has tested on labels, and audits every step.",
        )
        with self._store() as store:
            calls = self._plan(self._past, first.model, store, named="past")
        self._told.routes(calls)
        return calls

    def _labels(self, past: Sequence[Planned]) -> None:
        settings = self._settings
        self._told.part(
            "Labels",
            "Was each call right? A label answers that, and comes from whoever knows: a person, or a program with the "
            "truth. It never comes from the score that is to be tested.",
        )
        if settings.by_hand:
            self._told.say("Judge as many as you like and quit; the checker then judges the rest.")
            if self._run("label", "--by", settings.by):
                raise click.Abort
        checker = f"{CHECKER}:{'rest' if settings.by_hand else 'right'}"
        self._run("label", "--checker", checker, "--by", BY)
        with self._store() as store:
            counts, sources = _labelled(store, past)
        self._told.labels(counts, sources)
        self._told.examples(past)

    def _propose(self) -> bool:
        self._told.part(
            "A proposal",
            "Each tier's threshold is the laxest at which the labels still show its promise. One look at these labels "
            "is planned, and no tool is vetoed by a part of them: there are few.",
        )
        code = self._run(
            "calibrate",
            "--policy",
            str(self._policy_file),
            "--plan",
            "1,1",
            "--no-vetoes",
            "--out",
            str(self._proposal_file),
        )
        if code:
            self._told.say(
                "No tier can be promised anything on these labels, and that is a result: all calls stay with a human.",
                style="yellow",
            )
        return not code

    def _compare(self) -> None:
        self._told.part(
            "What it would change", "The recorded calls, decided again by the proposal. Nothing has changed yet."
        )
        self._run("policy", "diff", str(self._policy_file), str(self._proposal_file))

    def _adopt(self) -> bool:
        settings = self._settings
        self._told.part(
            "Adopting it",
            "Nothing is learned silently: a person adopts a proposal, with their name."
            if settings.ask
            else f"Nothing is learned silently: it is adopted now, in the name of {settings.by!r}.",
        )
        arguments = [
            "policy",
            "adopt",
            str(self._proposal_file),
            "--policy",
            str(self._policy_file),
            "--by",
            settings.by,
        ]
        try:
            self._run(*arguments, "--write", *([] if settings.ask else ["--yes"]))
        except click.Abort:
            self._told.say(f"Nobody adopted it. The proposal is {self._proposal_file}; the guard goes on as before.")
            return False
        text = self._policy_file.read_text("utf-8")
        self._policy_file.write_text(text.replace(_AUDIT_ALL, _AUDIT_SOME), encoding="utf-8")
        self._told.say("From now on one step in ten is audited: the promise is watched on these.")
        return True

    def _report(self, calibration: Path) -> None:
        self._told.part("The report", "Promises, evidence, and what to label next, on one page.")
        self._run("report", "--calibration", str(calibration), "--html", str(self._settings.report))

    def _run_calibrated(self) -> None:
        self._told.part(
            "Running on it",
            f"{len(self._held)} newer requests, of which no label was used. The guard says of each call what is "
            "promised; the checker says afterwards what was right.",
        )
        with self._store() as store:
            calls = self._plan(self._held, self._first.model, store, named="new")
        for one in _told_of(calls):
            self._told.verdict(one)
        self._told.measured(
            calls, {tier.tier: tier.alpha for tier in self._calibration().tiers if _promised(tier.thresholds)}
        )
        self._told.say("")
        self._told.say(
            "The promise is about all calls to come and rests on the labels; so few newer calls show it only roughly.",
            style="dim",
        )

    def _run_another(self) -> None:
        self._told.part(
            "Another model",
            f"The same requests and plans, as if {ANOTHER} had planned them. Another model is another score, so the "
            "promise does not hold for it.",
        )
        store = open_store("memory://")
        try:
            calls = self._plan(self._held, ANOTHER, store, named="another")
        finally:
            store.close()
        for one in _told_of(calls)[:1]:
            self._told.verdict(one)
        calibrated = sum(one.verdict.calibrated for one in calls)
        ran = sum(one.ran for one in calls)
        self._told.say("")
        self._told.say(f"{calibrated} of {len(calls)} calls calibrated, {ran} ran without a human.")

    def _end(self) -> None:
        folder = self._settings.folder
        self._told.part("What is left", f"policy, thresholds, risk model and records: {folder}")
        self._told.say(f"report: {self._settings.report} (open it in a browser)", style="bold")
        self._told.say(f"look closer: guardrail --store {self._url} log", style="dim")

    @property
    def _first(self) -> Recording:
        return next(iter(self._recordings.values()))

    @property
    def _url(self) -> str:
        return f"sqlite:///{self._settings.folder / _STORE}"

    @contextmanager
    def _store(self) -> Iterator[Store]:
        store = open_store(self._url)
        try:
            yield store
        finally:
            store.close()

    def _calibration(self) -> CalibratedPolicy:
        from guardrail.calibration import load_calibration

        return load_calibration(self._calibration_file)

    def _plan(self, asked: Sequence[Request], model: str, store: Store, *, named: str) -> list[Planned]:
        """Put requests to the agent under the folder's policy, as planned by a model of that name."""
        chat = RecordedChatModel(recordings=self._recordings, model_name=model)
        calls: list[Planned] = []

        def ran(request: Request, records: Sequence[Record]) -> None:
            calls.extend(
                Planned(request=request, record=record, verdict=verdict, judged=request.judge(verdict.call))
                for record in records
                for verdict in record.verdict.verdicts
            )

        run(asked, chat, Policy.load(self._policy_file), store, named=named, ran=ran)
        return calls

    def _run(self, *arguments: str) -> int:
        line = ["--store", self._url, *arguments]
        self._told.command(line)
        return self._command(line)


def _labelled(store: Store, past: Iterable[Planned]) -> tuple[dict[Tier, Counter[bool]], Counter[str]]:
    """Of each tier how many of these calls are labelled right and wrong, and how many labels whoever gave them gave."""
    counts: dict[Tier, Counter[bool]] = {}
    by: Counter[str] = Counter()
    for record_id in dict.fromkeys(one.record.id for one in past):
        record = store.record(record_id)
        for label in record.labels:
            verdict = record.verdict.verdict(label.call_id)
            if verdict is not None:
                counts.setdefault(verdict.tier, Counter())[label.correct] += 1
                by[label.by] += 1
    return counts, by


def _promised(thresholds: Iterable[Threshold]) -> bool:
    return any(one.execute_below is not None for one in thresholds)


def _told_of(calls: Sequence[Planned]) -> list[Planned]:
    """Calls to look at closely: the first of each tier that ran, and the first that a human has to decide."""
    found: dict[Tier | None, Planned] = {}
    for one in calls:
        if one.verdict.tier is not Tier.CRITICAL:
            found.setdefault((one.verdict.tier if one.ran else None), one)
    return list(found.values())
