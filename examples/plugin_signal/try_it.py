"""What a signal of one's own says of two calls, of which one has a value that nobody mentioned.

    pip install guardrail-middleware
    python plugin_signal/try_it.py

Installed (``pip install ./plugin_signal``) it has its name in every policy file: ``signals: [values_in_conversation]``.
"""

from values_in_conversation import ValuesInConversation

from guardrail.signals import Evidence, Registry
from guardrail.types import Sample, ToolCall, Turn

SAID = Turn(role="user", text="Refund order 1042, 35 euros")
registry = Registry([ValuesInConversation()])

for arguments in ({"number": 1042, "amount": 35}, {"number": 1042, "amount": 350}):
    plan = Sample(calls=(ToolCall(name="refund", arguments=arguments),))
    (signal,) = registry.measure(["values_in_conversation"], Evidence(planned=plan, index=0, conversation=(SAID,)))
    print(f"refund {arguments}: {signal.value:.0%} of its values stand in the conversation")
