"""A guard in front of any server of the Model Context Protocol: ``guardrail mcp -- command``."""

from guardrail_mcp.proxy import Proxy, Settings

__all__ = ["Proxy", "Settings"]
