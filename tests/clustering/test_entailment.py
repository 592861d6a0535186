from __future__ import annotations

import pytest

from guardrail.clustering import ExactEntailment
from tests.support.entailment_conformance import EntailmentLaws


class TestExact(EntailmentLaws):
    @pytest.fixture
    def entailment(self):
        return ExactEntailment()
