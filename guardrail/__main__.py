"""``python -m guardrail``."""

from guardrail.cli.main import main

main(prog_name="guardrail")
