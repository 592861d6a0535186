"""``guardrail demo``."""

from __future__ import annotations

import re
import sys
import time
import uuid
from pathlib import Path

import click
from rich._export_format import CONSOLE_SVG_FORMAT
from rich.console import Console
from rich.text import Text

from guardrail.cli.options import DEFAULT_STORE, reviewer, store_option
from guardrail.errors import ConfigError
from guardrail.review import Queue
from guardrail.sampling import Failure
from guardrail.store import open_store
from guardrail_langgraph.demo.conversation import Conversation
from guardrail_langgraph.demo.reviewer import Asked, Queued, Reviewer, nobody
from guardrail_langgraph.demo.session import FOLDER, Session, opened
from guardrail_langgraph.demo.tally import Tally
from guardrail_langgraph.demo.tasks import SHORT, TASKS, Task, task
from guardrail_langgraph.demo.view import View, tasks_table

# rich's template without its web fonts: a picture in a README fetches nothing
_OFFLINE_SVG = re.sub(r"@font-face {{.*?}}\n", "", CONSOLE_SVG_FORMAT, flags=re.DOTALL)
_PAUSE_SECONDS = 0.7
_FILE = click.Path(dir_okay=False, path_type=Path)
_GRAPH = "guardrail_langgraph.demo.session:graph"


@click.command()
@click.option(
    "--task",
    "names",
    multiple=True,
    type=click.Choice([*(one.id for one in TASKS), "all"]),
    metavar="ID",
    help=f"Run this task; may be repeated; 'all' for every one. [default: {', '.join(SHORT)}]",
)
@click.option("--list", "listed", is_flag=True, help="List the tasks and stop.")
@click.option("--queue", "queued", is_flag=True, help="Wait for decisions from another terminal.")
@click.option("--non-interactive", is_flag=True, help="Ask nothing: reviews are left pending.")
@click.option("--label", "labelled", is_flag=True, help="From records to labels, a calibrated policy and a report.")
@click.option("--by-hand", is_flag=True, help="With --label: you judge, not a program that knows the answers.")
@click.option("--report", metavar="FILE", type=_FILE, help="With --label: the page. [default: in the folder]")
@click.option(
    "--folder",
    metavar="FOLDER",
    type=click.Path(file_okay=False, path_type=Path),
    help=f"With --label: where records, policy and thresholds go. [default: {FOLDER / 'label'}]",
)
@click.option("--model", metavar="NAME", help="Plan with this live model instead of recorded plans.")
@click.option("--base-url", metavar="URL", help="Its OpenAI-compatible server. [default: OpenAI]")
@click.option("--logprobs/--no-logprobs", default=True, help="Whether to ask a live model for log-probabilities.")
@click.option("--timeout", type=click.FloatRange(min=1), default=120.0, show_default=True, help="Seconds a request.")
@click.option("--policy", metavar="FILE", help="Another policy for the shop's tools.")
@click.option("--fast", is_flag=True, help="No pauses between steps.")
@click.option("--save-svg", metavar="FILE", type=_FILE, help="Keep a picture.")
@store_option
@click.pass_context
def demo(
    context: click.Context,
    *,
    names: tuple[str, ...],
    model: str | None,
    base_url: str | None,
    policy: str | None,
    save_svg: Path | None,
    timeout: float,
    listed: bool,
    queued: bool,
    labelled: bool,
    by_hand: bool,
    report: Path | None,
    folder: Path | None,
    non_interactive: bool,
    logprobs: bool,
    fast: bool,
) -> None:
    """A support agent over a small real database, every tool call checked.

    Without --model it replays the plans of a real model, offline: the database, the guard and the records are
    real, the model's answers were recorded.
    """
    console = _console(save_svg)
    if listed:
        console.print(tasks_table(TASKS))
        return
    if labelled:
        from guardrail_langgraph.demo.labelled.command import run as run_labelled

        _alone(context, by_hand=by_hand, non_interactive=non_interactive)
        run_labelled(
            console,
            folder=folder or FOLDER / "label",
            report=report,
            by_hand=by_hand,
            non_interactive=non_interactive,
            fast=fast,
        )
        return
    if by_hand or report or folder:
        raise click.UsageError("--by-hand, --report and --folder go with --label.")
    if queued and non_interactive:
        raise click.UsageError("--queue waits for decisions, --non-interactive does not: choose one.")
    if queued and context.obj["store"].startswith("memory:"):
        raise click.UsageError(
            "--queue needs a store that another process can open: leave --store out, or name a file."
        )
    if base_url and not model:
        raise click.UsageError("--base-url needs the name of the model: add --model NAME.")
    session = Session(
        store=context.obj["store"], model=model, base_url=base_url, policy=policy, logprobs=logprobs, timeout=timeout
    )
    pause = 0.0 if fast or not console.is_terminal else _PAUSE_SECONDS
    command = "guardrail" if session.store == DEFAULT_STORE else f"guardrail --store {session.store}"
    view = View(console, command=command, pause=lambda: time.sleep(pause))
    tally = Tally()
    store = open_store(session.store)
    answers: Reviewer = (
        nobody
        if non_interactive
        else Queued(Queue(store))
        if queued
        else Asked(lambda prompt: console.input(Text(prompt)))
    )
    try:
        with opened(session, FOLDER, store) as graph:
            session.save(FOLDER)
            conversation = Conversation(graph, store=store, view=view, tally=tally, reviewer=answers, by=reviewer(None))
            _run(conversation, [task(name) for name in _chosen(names)])
    except KeyboardInterrupt:
        view.note("Stopped. Reviews that were not decided are still pending.")
    finally:
        store.close()
    view.ended(tally, where=session.store, source=_source(session), graph=_GRAPH)
    if save_svg is not None:
        console.save_svg(str(save_svg), title="guardrail demo", code_format=_OFFLINE_SVG)


def _alone(context: click.Context, *, by_hand: bool, non_interactive: bool) -> None:
    """Refuse options that mean nothing beside --label."""
    given = {
        "--task": "names",
        "--queue": "queued",
        "--model": "model",
        "--base-url": "base_url",
        "--policy": "policy",
        "--save-svg": "save_svg",
    }
    for option, name in given.items():
        if context.params[name]:
            raise click.UsageError(f"{option} does not go with --label, which has requests and a policy of its own.")
    if by_hand and non_interactive:
        raise click.UsageError("--by-hand asks you, --non-interactive asks nothing: choose one.")


def _run(conversation: Conversation, tasks: list[Task]) -> None:
    for one in tasks:
        try:
            conversation.run(one, f"{one.id}-{uuid.uuid4().hex[:8]}")
        except Exception as error:
            raise _told(error) from error


def _told(error: Exception) -> Exception:
    """What a provider's error means; any other error as it is."""
    failure = Failure.of(error)
    if failure.status is None and not failure.timed_out and not failure.unreachable:
        return error
    return ConfigError(f"the model did not answer: {failure.summary}. Nothing was executed without a verdict.")


def _chosen(names: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(one.id for one in TASKS) if "all" in names else names or SHORT


def _source(session: Session) -> str:
    if session.model is None:
        return f"{session.chat_model().model_name} at temperature 0, replayed offline"  # type: ignore[attr-defined]  # the recorded model has a name
    return f"{session.model}, live at {session.base_url or 'OpenAI'}"


def _console(save_svg: Path | None) -> Console:
    plain = {"markup": False, "emoji": False, "highlight": False}
    if save_svg is not None:
        return Console(record=True, width=100, **plain)  # type: ignore[arg-type]  # three flags
    return Console(file=sys.stdout, width=None if sys.stdout.isatty() else 100, **plain)  # type: ignore[arg-type]  # as above
