"""``guardrail demo --label`` from the command line."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from guardrail.cli.options import reviewer
from guardrail_langgraph.demo.labelled.course import Course, Settings
from guardrail_langgraph.demo.labelled.shown import Told

_PAUSE_SECONDS = 1.0


def run(
    console: Console, *, folder: Path, report: Path | None, by_hand: bool, non_interactive: bool, fast: bool
) -> None:
    """Run the course and print it.

    Raises:
        GuardrailError: something cannot be used or written.
    """
    pause = 0.0 if fast or non_interactive or not console.is_terminal else _PAUSE_SECONDS
    settings = Settings(
        folder=folder,
        report=report or folder / "report.html",
        by="demo" if non_interactive else reviewer(None),
        ask=not non_interactive,
        by_hand=by_hand,
    )
    Course(settings, Told(console, pause=lambda: time.sleep(pause)), _command).run()


def _command(arguments: Sequence[str]) -> int:
    """A command of guardrail in this process, with the same streams; its exit code."""
    from guardrail.cli.main import main

    code = main.main(list(arguments), prog_name="guardrail", standalone_mode=False)
    return code if isinstance(code, int) else 0
