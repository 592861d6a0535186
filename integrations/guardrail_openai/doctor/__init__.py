"""``guardrail doctor``: checks a model endpoint and a policy before anyone trusts them."""

from guardrail_openai.doctor.command import doctor
from guardrail_openai.doctor.examination import Report, examine
from guardrail_openai.doctor.findings import Finding, Level

__all__ = ["Finding", "Level", "Report", "doctor", "examine"]
