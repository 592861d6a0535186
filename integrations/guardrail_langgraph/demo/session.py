"""What a run of the demo leaves in its folder, so that another process can go on with it.

guardrail resume --graph guardrail_langgraph.demo.session:graph
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from langchain_core.language_models import BaseChatModel
from langgraph.checkpoint.sqlite import SqliteSaver

from guardrail.errors import ConfigError, MissingExtra
from guardrail.policy import Policy
from guardrail.store import Store, open_store
from guardrail_langgraph.demo.agent import POLICY, build_agent
from guardrail_langgraph.demo.recorded import RecordedChatModel
from guardrail_langgraph.demo.recording import load
from guardrail_langgraph.demo.shop import Shop

FOLDER = Path(".guardrail-demo")
MAX_TOKENS = 160


@dataclass(frozen=True, kw_only=True)
class Session:
    """How a run was started. ``model`` None: from recordings. ``timeout`` is seconds for one request."""

    store: str
    model: str | None = None
    base_url: str | None = None
    policy: str | None = None
    logprobs: bool = True
    timeout: float = 120.0

    def chat_model(self) -> BaseChatModel:
        """The model that plans.

        Raises:
            ConfigError: no key and no address of a server that needs none.
            MissingExtra: the client for a live model is not installed.
        """
        if self.model is None:
            recordings = load()
            names = {recording.model for recording in recordings.values()}
            return RecordedChatModel(recordings=recordings, model_name=f"{', '.join(sorted(names))} (recorded)")
        key = os.environ.get("OPENAI_API_KEY") or (None if self.base_url is None else "not-needed")
        if key is None:
            raise ConfigError("a live model needs a key: set OPENAI_API_KEY, or name a server with --base-url URL.")
        try:
            from langchain_openai import ChatOpenAI
            from pydantic import SecretStr
        except ModuleNotFoundError as error:
            raise MissingExtra("a live model", "demo") from error
        return ChatOpenAI(
            model=self.model,
            base_url=self.base_url,
            api_key=SecretStr(key),
            temperature=0,
            max_completion_tokens=MAX_TOKENS,
            logprobs=self.logprobs or None,
            timeout=self.timeout,
            max_retries=1,
        )

    def save(self, folder: Path) -> None:
        """Keep it for ``graph``; keys are never kept."""
        (folder / "session.json").write_text(json.dumps(asdict(self), indent=2) + "\n", encoding="utf-8")


@contextmanager
def opened(session: Session, folder: Path, store: Store | None = None) -> Iterator[Any]:
    """The demo's graph with its checkpoints, and a shop for each thread, in the folder.

    Raises:
        ConfigError: the policy or the model cannot be used.
    """
    folder.mkdir(exist_ok=True)
    policy = Policy.load(session.policy or POLICY)
    model = session.chat_model()

    def shop_of(thread_id: str) -> Shop:
        return Shop(folder / f"shop-{Path(thread_id).name}.sqlite")

    with SqliteSaver.from_conn_string(str(folder / "checkpoints.sqlite")) as checkpointer:
        yield build_agent(
            model,
            shop_of,
            store=store or open_store(session.store),
            checkpointer=checkpointer,
            policy=policy,
            timeout=session.timeout,
        )


@contextmanager
def graph() -> Iterator[Any]:
    """The graph of the last run in this directory.

    Raises:
        ConfigError: there was none.
    """
    file = FOLDER / "session.json"
    if not file.exists():
        raise ConfigError(f"there is no {file} here: run `guardrail demo` in this directory first.")
    with opened(Session(**json.loads(file.read_text("utf-8"))), FOLDER) as compiled:
        yield compiled
