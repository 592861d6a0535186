"""What three agent user interfaces recognise, show and send, as their published sources have it.

agent-inbox (src/components/agent-inbox, commits 0263e34 and 1141fd0), agent-chat-ui (src/components/thread/agent-inbox,
254cd6f) and deep-agents-ui (src/app/components, 161a3ea and 7858736), all by langchain-ai on GitHub. The rules are
written down here in our own words; of the pages only what passes between them and the graph is kept.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, cast

from langgraph.graph import END
from langgraph.types import Command
from langgraph_sdk.schema import Interrupt, Thread

JsonObject = dict[str, Any]
IMPROPER: Final = "improper_schema"


@dataclass(frozen=True, kw_only=True)
class Act:
    """What a button asks of the API: to run a command, or to write a state as if a node had."""

    command: JsonObject | None = None
    as_node: str = ""


@dataclass(frozen=True, kw_only=True)
class Card:
    """What a person sees of one question, and may press."""

    name: str
    args: JsonObject = field(default_factory=dict)
    description: str = ""
    buttons: frozenset[str] = frozenset()
    readable: bool = True
    hitl: bool = True


def thread_of(graph: Any, config: Any) -> Thread:
    """The thread as the API's ``GET /threads/{id}`` gives it to a browser."""
    state = graph.get_state(config)
    interrupts = {
        task.id: [{"value": one.value, "id": one.id} for one in task.interrupts]
        for task in state.tasks
        if task.interrupts
    }
    given = {
        "thread_id": config["configurable"]["thread_id"],
        "status": "interrupted" if interrupts else "idle",
        "metadata": {},
        "interrupts": browser(interrupts),
    }
    return cast("Thread", given)


def stream_interrupt(thread: Thread) -> Interrupt | list[Interrupt] | None:
    """What the hook ``useStream`` of the JavaScript SDK calls the interrupt: one, or a list of several."""
    found = [one for some in thread["interrupts"].values() for one in some]
    return found[0] if len(found) == 1 else found or None


def press(graph: Any, config: Any, act: Act) -> JsonObject:
    """Do what the API does with it."""
    if act.command is None:
        graph.update_state(config, None, as_node=act.as_node)
        return {}
    sent = browser(act.command)
    result: JsonObject = graph.invoke(Command(**sent), config)
    return result


def browser(value: Any) -> Any:
    """A value on its way through a browser: its numbers are doubles.

    Raises:
        OverflowError: a number is larger than any double.
    """
    return json.loads(json.dumps(value), parse_int=_double, parse_float=_double)


def js_text(value: Any) -> str:
    """What a text field holds for a value."""
    if isinstance(value, str):
        return value
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def _double(text: str) -> float:
    number = float(text)
    if number in (float("inf"), float("-inf")):
        raise OverflowError(text)
    return int(number) if number.is_integer() and abs(number) < 1e21 else number


class AgentInbox:
    """One thread is one item, of which the first question of the first task is shown."""

    @staticmethod
    def cards(thread: Thread) -> list[Card]:
        return [card for some in thread["interrupts"].values() for card in AgentInbox._task(some)]

    @staticmethod
    def _task(interrupts: list[Interrupt]) -> list[Card]:
        value: Any = interrupts[0].get("value") if interrupts else None
        if isinstance(value, Mapping) and isinstance(value.get("action_requests"), list) and value["action_requests"]:
            return [AgentInbox._middleware(value)]
        if isinstance(value, str) and value[:1] in ("[", "{"):
            try:
                value = json.loads(value)
            except ValueError:
                value = None
        some = value if isinstance(value, list) else [value]
        first = some[0] if some else None
        if not (isinstance(first, Mapping) and "action_request" in first and "config" in first):
            return [Card(name=IMPROPER, buttons=frozenset({"ignore"}), readable=False, hitl=False)]
        return [
            Card(
                name=one["action_request"]["action"],
                args=one["action_request"]["args"],
                description=one.get("description", ""),
                buttons=frozenset(key.removeprefix("allow_") for key, allowed in one["config"].items() if allowed),
                hitl=False,
            )
            for one in some
        ]

    @staticmethod
    def _middleware(value: Mapping[str, Any]) -> Card:
        request = value["action_requests"][0]
        configs = value.get("review_configs")
        first = configs[0] if isinstance(configs, list) and configs else {}
        allowed = first.get("allowed_decisions")
        if not isinstance(allowed, list) or not allowed:
            allowed = ["approve", "edit", "reject"]
        names = {"approve": "accept", "edit": "edit", "reject": "respond"}
        return Card(
            name=request.get("name", ""),
            args=request.get("args", request.get("arguments", {})),
            description=request.get("description", ""),
            buttons=frozenset(names[one] for one in allowed if one in names),
        )

    @staticmethod
    def _send(card: Card, kind: str, args: Any) -> Act:
        if not card.hitl:
            return Act(command={"resume": [{"type": kind, "args": args}]})
        renamed = {"accept": "approve", "response": "reject"}.get(kind, kind)
        return Act(command={"resume": {"decisions": [{"type": renamed, "args": args}]}})

    @staticmethod
    def accept(card: Card) -> Act:
        shown = {"action": card.name, "args": card.args} if "edit" in card.buttons else None
        return AgentInbox._send(card, "accept", shown)

    @staticmethod
    def accept_after_reset(card: Card) -> Act:
        texts = {name: js_text(value) for name, value in card.args.items()}
        return AgentInbox._send(card, "accept", {"action": card.name, "args": texts})

    @staticmethod
    def edit(card: Card, **typed: str) -> Act:
        return AgentInbox._send(card, "edit", {"action": card.name, "args": {**card.args, **typed}})

    @staticmethod
    def respond(card: Card, text: str) -> Act:
        return AgentInbox._send(card, "response", text)

    @staticmethod
    def ignore(card: Card) -> Act:
        return AgentInbox._send(card, "ignore", None)

    @staticmethod
    def resolve() -> Act:
        return Act(as_node=END)


class AgentChatUI:
    """A tab for each interrupt, a page for each of its actions."""

    @staticmethod
    def recognises(interrupt: Interrupt | list[Interrupt] | None) -> bool:
        first = interrupt[0] if isinstance(interrupt, list) else interrupt
        value = first.get("value") if isinstance(first, Mapping) else None
        if not isinstance(value, Mapping):
            return False
        requests, configs = value.get("action_requests"), value.get("review_configs")
        if not (isinstance(requests, list) and requests and isinstance(configs, list) and configs):
            return False
        return all(
            isinstance(one, Mapping) and isinstance(one.get("name"), str) and isinstance(one.get("args"), dict | list)
            for one in requests
        ) and all(
            isinstance(one, Mapping)
            and isinstance(one.get("action_name"), str)
            and isinstance(one.get("allowed_decisions"), list)
            for one in configs
        )

    @staticmethod
    def cards(interrupt: Interrupt | list[Interrupt] | None) -> list[Card]:
        if interrupt is None or not AgentChatUI.recognises(interrupt):
            return []
        some = interrupt if isinstance(interrupt, list) else [interrupt]
        return [card for one in some for card in AgentChatUI._pages(one["value"])]

    @staticmethod
    def _pages(value: JsonObject) -> list[Card]:
        configs = value["review_configs"]
        cards = []
        for index, request in enumerate(value["action_requests"]):
            own = next((one for one in configs if one["action_name"] == request["name"]), None)
            config = own or (configs[index] if index < len(configs) else configs[0])
            buttons = frozenset({"approve", "edit", "reject"}) & frozenset(config["allowed_decisions"])
            cards.append(
                Card(
                    name=request["name"],
                    args=request["args"],
                    description=request.get("description", ""),
                    buttons=buttons,
                )
            )
        return cards

    @staticmethod
    def _send(*decisions: JsonObject) -> Act:
        return Act(command={"resume": {"decisions": list(decisions)}})

    @staticmethod
    def approve(card: Card) -> Act:
        del card
        return AgentChatUI._send({"type": "approve"})

    @staticmethod
    def approve_all(cards: list[Card]) -> Act:
        return AgentChatUI._send(*({"type": "approve"} for _ in cards))

    @staticmethod
    def edit(card: Card, **typed: str) -> Act:
        edited = {"name": card.name, "args": {**card.args, **typed}}
        return AgentChatUI._send({"type": "edit", "edited_action": edited})

    @staticmethod
    def reject(card: Card, text: str) -> Act:
        del card
        assert text.strip(), "the page asks for a reason first"
        return AgentChatUI._send({"type": "reject", "message": text.strip()})

    @staticmethod
    def resolve() -> Act:
        return Act(command={"goto": END})


class DeepAgentsUI:
    """Cards beside the tool calls of the last message, one for each name of a tool."""

    @staticmethod
    def cards(interrupt: Interrupt | list[Interrupt] | None) -> list[Card]:
        value: Any = None if interrupt is None or isinstance(interrupt, list) else interrupt["value"]
        if not isinstance(value, Mapping) or not value.get("action_requests"):
            return []
        configs = {one.get("actionName"): one for one in value.get("review_configs") or ()}
        cards = []
        for name, request in {one["name"]: one for one in value["action_requests"]}.items():
            allowed = configs.get(name, {}).get("allowedDecisions") or ["approve", "reject", "edit"]
            cards.append(
                Card(
                    name=name,
                    args=request["args"],
                    description=request.get("description", ""),
                    buttons=frozenset({"approve", "edit", "reject"}) & frozenset(allowed),
                )
            )
        return cards

    @staticmethod
    def _send(decision: JsonObject) -> Act:
        return Act(command={"resume": {"decisions": [decision]}})

    @staticmethod
    def approve(card: Card) -> Act:
        del card
        return DeepAgentsUI._send({"type": "approve"})

    @staticmethod
    def edit(card: Card, **typed: str) -> Act:
        edited = {"name": card.name, "args": {**card.args, **{key: _looks(text) for key, text in typed.items()}}}
        return DeepAgentsUI._send({"type": "edit", "edited_action": edited})

    @staticmethod
    def reject(card: Card, text: str = "") -> Act:
        del card
        return DeepAgentsUI._send({"type": "reject", **({"message": text.strip()} if text.strip() else {})})

    @staticmethod
    def decisions(*given: JsonObject) -> Act:
        """What the panel of the version 7858736 sends: the decisions of all cards, as a list."""
        return Act(command={"resume": list(given)})

    @staticmethod
    def typed(text: str) -> Act:
        """What the field for interrupts of other forms sends: JSON where it is some, else the text."""
        try:
            return Act(command={"resume": json.loads(text)})
        except ValueError:
            return Act(command={"resume": text.strip()})

    @staticmethod
    def resolve() -> Act:
        return Act(command={"goto": END, "update": None})


def _looks(text: str) -> Any:
    if text.strip()[:1] not in ("{", "["):
        return text
    try:
        return json.loads(text)
    except ValueError:
        return text
