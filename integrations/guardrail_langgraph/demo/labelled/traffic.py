"""What clerks ask of the shop's agent: requests drawn independently of each other, each with its right calls.

Kinds of requests are drawn by their weights and their details from the shop, with a fixed seed: most are plain, some
leave out what has to be looked up, some can be misread.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass

from guardrail.types import ToolCall
from guardrail_langgraph.demo.labelled.facts import Customer, Item, Order, facts
from guardrail_langgraph.demo.labelled.truth import Finds, Judged, Mails, Refunds, Right, Same, check

SEED = 5
_REASONS = {
    "late": ("came late", "arrived too late", "was delivered a week late"),
    "damaged": ("arrived damaged", "was broken", "has a crack"),
    "wrong_item": ("was the wrong item", "is not the one that was ordered"),
    "changed_mind": ("is no longer wanted, the customer changed their mind",),
}
_NEWS = (
    ("ships tomorrow", ("tomorrow",)),
    ("is delayed by a week", ("week", "delay|late")),
    ("arrives on Friday", ("friday",)),
    ("was sent back to us", ("sent back|return",)),
    ("is ready for pickup", ("pick.?up|picked up|collect",)),
)
_NUMBERS = {5: "five", 8: "eight", 10: "ten", 12: "twelve", 15: "fifteen", 20: "twenty", 25: "twenty-five"}


@dataclass(frozen=True, kw_only=True)
class Request:
    """What a clerk says, what kind of request that is, and every right call for it."""

    id: str
    kind: str
    text: str
    right: tuple[Right, ...]

    def judge(self, call: ToolCall) -> Judged:
        """The checker's judgement on a call that was planned for it."""
        return check(self.right, call)


_Draw = tuple[str, tuple[Right, ...]]


def requests(count: int, *, seed: int = SEED) -> tuple[Request, ...]:
    """The first ``count`` requests of the stream; more of them begin with the same ones. No text comes twice."""
    rng = random.Random(seed)  # noqa: S311 - a reproducible choice of tasks, no secret
    kinds = list(_KINDS)
    weights = [_KINDS[kind][0] for kind in kinds]
    found: dict[str, Request] = {}
    while len(found) < count:
        (kind,) = rng.choices(kinds, weights)
        text, right = _KINDS[kind][1](rng)
        if text not in found:
            found[text] = Request(id=f"r{len(found) + 1:03}", kind=kind, text=text, right=right)
    return tuple(found.values())


def _order(rng: random.Random) -> Order:
    return rng.choice(facts().orders)


def _customer(rng: random.Random) -> Customer:
    return rng.choice(facts().customers)


def _item(rng: random.Random, order: Order) -> Item:
    return rng.choice(order.items)


def _reason(rng: random.Random) -> tuple[str, str]:
    key = rng.choice(list(_REASONS))
    return key, rng.choice(_REASONS[key])


def _reads(order: Order) -> tuple[Right, ...]:
    """Looking at the order, or at all orders of its customer."""
    return (
        Same(tool="get_order", arguments={"order_id": order.id}),
        Same(tool="list_orders", arguments={"customer_id": order.customer.id}),
    )


def _refunds(order: Order, cents: int, reason: str) -> tuple[Right, ...]:
    return Refunds(order=order.id, cents=cents, reasons=frozenset({reason})), _reads(order)[0]


def _amount(rng: random.Random, most: int) -> int:
    """Cents, up to ``most`` of them: whole euros twice in three times."""
    euros = rng.randint(2, max(most // 100 - 1, 3))
    return euros * 100 + rng.choice((0, 0, 0, 0, 50, 90))


def _said(cents: int) -> str:
    return f"{cents // 100}" if cents % 100 == 0 else f"{cents / 100:.2f}"


def _status(rng: random.Random) -> _Draw:
    order = _order(rng)
    asked = rng.choice(
        (
            "What is the status of order {}?",
            "Has order {} been shipped yet?",
            "Show me order {}.",
            "When was order {} placed?",
            "What did order {} cost in total?",
            "Which items are in {}?",
            "I need the details of {}, please.",
            "Was anything of order {} refunded already?",
        )
    )
    return asked.format(order.id), _reads(order)


def _orders_by_id(rng: random.Random) -> _Draw:
    customer = _customer(rng)
    asked = rng.choice(
        (
            "Show me the orders of {}.",
            "What has customer {} bought so far?",
            "List everything that {} ordered.",
            "Does customer {} have any orders?",
            "Order history of customer {}, please.",
            "How many orders does {} have?",
        )
    )
    return asked.format(customer.id), (Same(tool="list_orders", arguments={"customer_id": customer.id}),)


def _find_by_name(rng: random.Random) -> _Draw:
    customer = _customer(rng)
    asked = rng.choice(
        (
            "Find the customer {}.",
            "Look up {}.",
            "What is the e-mail address of {}?",
            "Which customer id does {} have?",
            "Is {} a customer of ours?",
            "Search for a customer called {}.",
        )
    )
    return asked.format(customer.name), (Finds(customers=frozenset({customer.id})),)


def _find_by_mail(rng: random.Random) -> _Draw:
    customer = _customer(rng)
    asked = rng.choice(("Look up {}.", "Who is {}?", "Which customer has the address {}?", "Find {}."))
    return asked.format(customer.email), (Finds(customers=frozenset({customer.id})),)


def _orders_by_name(rng: random.Random) -> _Draw:
    customer = _customer(rng)
    asked = rng.choice(
        (
            "Show me the orders of {}.",
            "What did {} buy last?",
            "List all orders that belong to {}.",
            "Has {} ordered anything this year?",
        )
    )
    right: tuple[Right, ...] = (Finds(customers=frozenset({customer.id})), *_reads_of(customer))
    return asked.format(customer.name), right


def _reads_of(customer: Customer) -> tuple[Right, ...]:
    return (Same(tool="list_orders", arguments={"customer_id": customer.id}),)


def _bare_number(rng: random.Random) -> _Draw:
    order = _order(rng)
    asked = rng.choice(("What about order number {}?", "Look at order {}.", "Is {} paid?", "Order no. {}: status?"))
    return asked.format(order.id.removeprefix("A")), _reads(order)


def _bought_what(rng: random.Random) -> _Draw:
    order = _order(rng)
    item = _item(rng, order)
    asked = rng.choice(("When did {0} order the {1}?", "What did {0} pay for the {1}?"))
    right = (Finds(customers=frozenset({order.customer.id})), *_reads(order))
    return asked.format(order.customer.name, item.name), right


def _refund_stated(rng: random.Random) -> _Draw:
    order = _order(rng)
    cents = _amount(rng, min(order.cents, 10_000))
    return _stated(rng, order, cents)


def _refund_large(rng: random.Random) -> _Draw:
    order = rng.choice([one for one in facts().orders if one.cents > 20_000])
    return _stated(rng, order, rng.randint(101, 199) * 100)


def _stated(rng: random.Random, order: Order, cents: int) -> _Draw:
    reason, words = _reason(rng)
    asked = rng.choice(
        (
            "Refund {amount} euros of order {order}, the {item} {words}.",
            "Give {name} {amount} euros back for the {item} (order {order}), it {words}.",
            "Order {order}: pay back {amount} euros, the {item} {words}.",
            "Please refund EUR {amount} on {order}. The {item} {words}.",
            "The {item} of order {order} {words}. Refund {amount} euros.",
            "{amount} euros back to the customer of {order} please, the {item} {words}.",
        )
    )
    item = _singular(_item(rng, order).name)
    text = asked.format(amount=_said(cents), order=order.id, item=item, name=order.customer.first, words=words)
    return text, _refunds(order, cents, reason)


def _singular(name: str) -> str:
    """So that "it came late" can be said of it."""
    return f"set of {name}" if name.endswith("s") else name


def _refund_in_words(rng: random.Random) -> _Draw:
    order = _order(rng)
    euros = rng.choice(list(_NUMBERS))
    reason, words = _reason(rng)
    asked = rng.choice(("Refund {} euros of order {}, it {}.", "Pay {} euros of {} back, the order {}."))
    return asked.format(_NUMBERS[euros], order.id, words), _refunds(order, euros * 100, reason)


def _refund_corrected(rng: random.Random) -> _Draw:
    order = _order(rng)
    first, second = _amount(rng, 2500), _amount(rng, 3500)
    reason, words = _reason(rng)
    asked = rng.choice(
        (
            "Refund {} euros of order {order}, no, make it {} euros. It {words}.",
            "Instead of {} euros refund {} euros of {order}, because it {words}.",
        )
    )
    text = asked.format(_said(first), _said(second), order=order.id, words=words)
    return text, _refunds(order, second, reason)


def _refund_not_that(rng: random.Random) -> _Draw:
    order, other = rng.sample(facts().orders, 2)
    cents = _amount(rng, 3500)
    reason, words = _reason(rng)
    asked = rng.choice(
        (
            "Refund {amount} euros of {order}, not of {other}: it {words}.",
            "Not order {other} but order {order} {words}: refund {amount} euros.",
        )
    )
    text = asked.format(amount=_said(cents), order=order.id, other=other.id, words=words)
    return text, _refunds(order, cents, reason)


def _refund_item(rng: random.Random) -> _Draw:
    order = _order(rng)
    item = _item(rng, order)
    reason, words = _reason(rng)
    if item.quantity > 1:
        text = f"Order {order.id}: one of the {item.name} {words}. Refund that one."
    else:
        asked = rng.choice(
            ("The {item} of order {order} {words}. Refund it.", "Refund the {item} in {order}, it {words}.")
        )
        text = asked.format(item=_singular(item.name), order=order.id, words=words)
    return text, (*_refunds(order, item.cents, reason), _reads(order)[1])


def _refund_whole(rng: random.Random) -> _Draw:
    order = _order(rng)
    reason, words = _reason(rng)
    asked = rng.choice(("Refund the whole order {}, it {}.", "Order {} {}. Give all of the money back."))
    return asked.format(order.id, words), (*_refunds(order, order.cents, reason), _reads(order)[1])


def _refund_by_name(rng: random.Random) -> _Draw:
    order = _order(rng)
    item = order.items[0]
    reason, words = _reason(rng)
    text = f"Refund {order.customer.first}'s {_singular(item.name)}, it {words}."
    found = Finds(customers=frozenset({order.customer.id}))
    return text, (*_refunds(order, item.quantity * item.cents, reason), _reads(order)[1], found)


def _refund_share(rng: random.Random) -> _Draw:
    order = _order(rng)
    percent = rng.choice((10, 20, 50))
    reason, words = _reason(rng)
    text = f"Refund {percent} percent of order {order.id}, it {words}."
    return text, (*_refunds(order, round(order.cents * percent / 100), reason), _reads(order)[1])


def _mail_stated(rng: random.Random) -> _Draw:
    order = _order(rng)
    news, says = rng.choice(_NEWS)
    asked = rng.choice(
        (
            "Tell {mail} that order {order} {news}.",
            "E-mail {mail}: {order} {news}.",
            "Write to {mail} that their order {order} {news}.",
        )
    )
    text = asked.format(mail=order.customer.email, order=order.id, news=news)
    return text, (Mails(to=order.customer.email, order=order.id, says=says),)


def _mail_by_name(rng: random.Random) -> _Draw:
    order = _order(rng)
    news, says = rng.choice(_NEWS)
    asked = rng.choice(("Write to {name} that order {order} {news}.", "Let {name} know that {order} {news}."))
    text = asked.format(name=order.customer.name, order=order.id, news=news)
    right = (
        Mails(to=order.customer.email, order=order.id, says=says),
        Finds(customers=frozenset({order.customer.id})),
    )
    return text, right


_KINDS: dict[str, tuple[int, Callable[[random.Random], _Draw]]] = {
    "order": (10, _status),
    "orders by id": (7, _orders_by_id),
    "customer by name": (7, _find_by_name),
    "customer by address": (4, _find_by_mail),
    "orders by name": (6, _orders_by_name),
    "order by bare number": (3, _bare_number),
    "purchase by name": (2, _bought_what),
    "refund, all said": (36, _refund_stated),
    "large refund, all said": (4, _refund_large),
    "refund in words": (4, _refund_in_words),
    "refund, corrected": (4, _refund_corrected),
    "refund, not that one": (3, _refund_not_that),
    "refund of an item": (8, _refund_item),
    "refund of all": (4, _refund_whole),
    "refund by name": (5, _refund_by_name),
    "refund of a share": (3, _refund_share),
    "mail, all said": (8, _mail_stated),
    "mail by name": (3, _mail_by_name),
}
"""Each kind with its weight: how often clerks ask for it."""
