"""``guardrail worker``: resumes the threads of LangGraph graphs when their reviews are decided, from any process."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, nullcontext, suppress
from functools import partial
from pathlib import Path
from typing import Any

import click

from guardrail.cli.notify.command import notify_option
from guardrail.cli.options import store_option
from guardrail.cli.status.command import promises
from guardrail.cli.upkeep import upkeep_of
from guardrail.errors import ConfigError
from guardrail.review import Queue
from guardrail.store import Store, open_store
from guardrail.upkeep import Upkeep
from guardrail_langgraph.worker_graphs import Registered, opened
from guardrail_langgraph.worker_leases import SECONDS, Leases, worker_name
from guardrail_langgraph.worker_loop import Worker, line
from guardrail_langgraph.worker_threads import Outcome, Resumed, resume_decided, take_turn

__all__ = ["Leases", "Outcome", "Registered", "Resumed", "opened", "resume", "resume_decided", "take_turn", "worker"]

_POLL = 2.0
_CONCURRENCY = 4
_STUCK = 900.0
_TROUBLE = 1

_graphs = click.option(
    "--graph",
    "specs",
    multiple=True,
    required=True,
    metavar="SPEC",
    help="A graph: module:name or path/to/file.py:name. Give it again for each graph.",
)


@click.command()
@_graphs
@click.option("--once", is_flag=True, help="Do what there is to do, then end.")
@click.option(
    "--poll", type=click.FloatRange(0.05), default=_POLL, show_default=True, help="Seconds between looks at the store."
)
@click.option(
    "--concurrency", type=click.IntRange(1), default=_CONCURRENCY, show_default=True, help="Threads run at once."
)
@click.option(
    "--stuck-after",
    type=click.FloatRange(0),
    default=_STUCK,
    show_default=True,
    help="Seconds after which a call that is still executing is told as a matter for a person.",
)
@click.option(
    "--lease",
    type=click.FloatRange(0.1),
    default=SECONDS,
    show_default=True,
    help="Seconds after which the threads of a worker that died are taken up by another.",
)
@click.option("--traceback", "traces", is_flag=True, help="Print tracebacks of graphs. They may hold arguments.")
@notify_option
@promises
@store_option
@click.pass_context
def worker(  # noqa: PLR0917 - click passes them by name
    context: click.Context,
    specs: tuple[str, ...],
    poll: float,
    concurrency: int,
    stuck_after: float,
    lease: float,
    notify_file: Path | None,
    policy: Path | None,
    calibration: Path | None,
    *,
    once: bool,
    traces: bool,
) -> None:
    """Resume the threads whose reviews are decided, and answer those whose deadline has passed with a reject.

    It also does what `guardrail upkeep` does: seals the audit logs, watches promises, and tells people.

    Ends on SIGTERM or SIGINT when the threads that run are done; a second signal ends it at once. Exit code 0: nothing
    is wrong; 1 (with --once): a graph failed, a thread is of no graph given here, or a call may be stuck; 2: it could
    not begin.
    """
    options = {"concurrency": concurrency, "stuck_after": stuck_after, "traces": traces}
    # the worker's own loop sweeps the deadlines, and tells of them
    keep = partial(upkeep_of, notify_file=notify_file, policy=policy, calibration=calibration, sweep_every=None)
    _work(context, specs, poll=None if once else poll, lease=lease, options=options, keep=keep)


@click.command()
@_graphs
@click.option("--watch", is_flag=True, help="Go on until interrupted, instead of once.")
@click.option("--every", default=_POLL, show_default=True, help="Seconds between looks, with --watch.")
@click.pass_context
def resume(context: click.Context, specs: tuple[str, ...], every: float, *, watch: bool) -> None:
    """Resume the threads whose reviews are decided. The same as `guardrail worker --once`."""
    options = {"concurrency": _CONCURRENCY, "stuck_after": _STUCK}
    _work(context, specs, poll=every if watch else None, lease=SECONDS, options=options)


def _work(
    context: click.Context,
    specs: Sequence[str],
    *,
    poll: float | None,
    lease: float,
    options: dict[str, Any],
    keep: Callable[[Store], Upkeep] | None = None,
) -> None:
    if len(set(specs)) < len(specs):
        raise ConfigError("a graph is given twice: give each --graph once")
    store = open_store(context.obj["store"])
    try:
        keeping = None if keep is None else keep(store)
        with nullcontext() if keeping is None or poll is None else keeping.running():
            trouble = asyncio.run(_run(specs, store, poll=poll, lease=lease, options=options))
        if keeping is not None and poll is None:
            trouble |= any(done.error for done in keeping.once())
    finally:
        store.close()
    if trouble and poll is None:
        context.exit(_TROUBLE)


async def _run(
    specs: Sequence[str], store: Store, *, poll: float | None, lease: float, options: dict[str, Any]
) -> bool:
    loop = asyncio.get_running_loop()
    # Graphs and the store share these: a worker whose graphs take every thread could not renew its leases.
    loop.set_default_executor(ThreadPoolExecutor(max_workers=2 * options["concurrency"] + 8))
    async with AsyncExitStack() as stack:
        graphs = [Registered(name=spec, graph=await stack.enter_async_context(opened(spec))) for spec in specs]
        leases = Leases(store, by=worker_name(), seconds=lease)
        working = Worker(graphs, Queue(store, tenant=None), leases, tell=click.echo, **options)
        _stop_on_signals(loop, working)
        if poll is None:
            await working.once()
        else:
            click.echo(line("started", leases.by, graphs=",".join(specs)))
            await working.run(poll)
    return working.trouble


def _stop_on_signals(loop: asyncio.AbstractEventLoop, working: Worker) -> None:
    """Stop gently on the first signal. The second one finds the system's own handler."""

    def stop(number: signal.Signals) -> None:
        loop.remove_signal_handler(number)
        working.stop()

    for number in (signal.SIGTERM, signal.SIGINT):
        with suppress(NotImplementedError, ValueError, RuntimeError):  # not on Windows, and in the main thread only
            loop.add_signal_handler(number, stop, number)
