"""Observers of a guard: OpenTelemetry, LangSmith, logs. Names, numbers and ids; never arguments or a conversation."""

from guardrail.telemetry.langsmiths import LangSmithObserver
from guardrail.telemetry.logs import LogObserver, log_observer
from guardrail.telemetry.opentelemetries import OpenTelemetryObserver
from guardrail.telemetry.parents import parent_of

__all__ = ["LangSmithObserver", "LogObserver", "OpenTelemetryObserver", "log_observer", "parent_of"]
