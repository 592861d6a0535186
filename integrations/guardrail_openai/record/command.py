"""``guardrail record``: point your agent here instead of at its model server."""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import click
from rich.console import Console
from rich.status import Status

from guardrail import catalogue
from guardrail.errors import ConfigError, MissingExtra
from guardrail.types import Need

_ASKED = [name for name, info in catalogue.BUILT_IN.items() if Need.QUESTION in info.needs]


@click.command()
@click.option("--upstream", required=True, metavar="URL", help="Your model server, such as https://api.openai.com/v1.")
@click.option("--out", required=True, type=click.Path(path_type=Path, dir_okay=False), help="JSON lines of cases.")
@click.option("--samples", type=click.IntRange(2, 100), default=10, show_default=True, help="N, samples of each step.")
@click.option(
    "--share", type=click.FloatRange(0, 1, min_open=True), default=1.0, show_default=True, help="Of the steps."
)
@click.option("--limit", type=click.IntRange(1), help="Cases to record; after them everything only passes.")
@click.option("--ask", multiple=True, type=click.Choice(_ASKED), help="Ask the model for this signal too.")
@click.option("--host", default="127.0.0.1", show_default=True, help="Where to listen.")
@click.option("--port", type=click.IntRange(0, 65535), default=8088, show_default=True, help="Where to listen.")
def record(
    upstream: str,
    out: Path,
    *,
    samples: int,
    share: float,
    limit: int | None,
    ask: tuple[str, ...],
    host: str,
    port: int,
) -> None:
    """Save your agent's own planning steps as cases, for `guardrail bench`.

    A proxy in front of your model server: set your agent's base URL to http://127.0.0.1:8088/v1. Requests and
    answers pass unchanged. Each answer that calls a tool is drawn again N times beside the agent, at your cost, in the
    agent's own name, and written to --out with the plan. Keys are not written; conversations are.
    Ctrl-C finishes what was begun, a second one does not.
    """
    if urlsplit(upstream).scheme not in ("http", "https") or not urlsplit(upstream).netloc:
        raise ConfigError(f"--upstream must be an address such as https://api.openai.com/v1, not {upstream!r}")
    try:
        import uvicorn

        from guardrail_openai.record.proxy import application
        from guardrail_openai.record.recorder import CaseFile, Recorder
    except ImportError as error:
        raise MissingExtra("`guardrail record`", "record") from error
    console = Console(stderr=True)
    file = CaseFile(out)

    recorder = Recorder(file, upstream=upstream, samples=samples, ask=ask)

    async def serve() -> None:
        app = application(recorder, upstream=upstream, share=share, limit=limit)
        server = uvicorn.Server(uvicorn.Config(app, host=host, port=port, log_level="warning", lifespan="on"))
        console.print(f"listening on http://{host}:{port}/v1, in front of {upstream}; cases go to {out}")
        with Status(_said(recorder), console=console) as status:
            watcher = asyncio.create_task(_watch(recorder, server, status))
            try:
                await server.serve()
            finally:
                watcher.cancel()

    try:
        # the server raises the signal again once it has shut down in order
        with contextlib.suppress(KeyboardInterrupt):
            asyncio.run(serve())
    finally:
        file.close()
        console.print(_said(recorder))


async def _watch(recorder: Any, server: Any, status: Status) -> None:
    while True:
        if server.force_exit:  # a second Ctrl-C
            recorder.abandon()
        status.update(_said(recorder))
        await asyncio.sleep(0.5)


def _said(recorder: Any) -> str:
    tally = recorder.tally
    usage = tally.usage
    said = f"{tally.recorded} recorded, {recorder.waiting} waiting, {tally.left_out} left out, {tally.failed} failed"
    if usage.prompt_tokens is not None and usage.completion_tokens is not None:
        said += f"; samples cost {usage.prompt_tokens:,} + {usage.completion_tokens:,} tokens"
    return f"{said}; last failure: {tally.last_failure}" if tally.last_failure else said
