"""ONNX Runtime beside torch: the same answers from an exported graph."""

from __future__ import annotations

import math

import pytest
import torch
import transformers

from guardrail.errors import ConfigError, MissingExtra
from guardrail_transformers import NLIEntailment, cross_encoder
from tests.support.entailment_conformance import EntailmentLaws, pair

pytest.importorskip("onnxruntime", reason="needs the extra onnx")
pytest.importorskip("onnxscript", reason="needs the extra onnx")
pytestmark = [
    # raised inside torch's exporter and what it calls; nothing here causes or can change it
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),
    pytest.mark.filterwarnings("ignore::UserWarning"),
]


@pytest.fixture(scope="module")
def exported(bert, tmp_path_factory):
    """A model with random weights, and the folder that its graph was written to."""
    from guardrail_transformers.onnx_export import main

    torch.manual_seed(3)
    folder = bert([0.0, 0.0, 0.0])
    model = transformers.AutoModelForSequenceClassification.from_pretrained(folder)
    with torch.no_grad():
        for weights in model.parameters():
            weights.normal_(0, 0.5)
        model.classifier.bias.copy_(torch.tensor([-9.0, 9.0, -9.0]))
    model.save_pretrained(folder)
    target = tmp_path_factory.mktemp("onnx")
    main([str(folder), str(target)])
    return folder, target


class TestLaws(EntailmentLaws):
    same = ("cancel the order", "please cancel the order")
    different = ("", "the museum opens on monday")  # this model entails everything

    @pytest.fixture
    def entailment(self, exported):
        return NLIEntailment(exported[1], runtime="onnx")


def test_both_runtimes_believe_the_same(exported):
    asked = [
        ("ship", "pay"),
        ("ship it today", "cancel the order please"),
        ("pay nothing", "send the parcel on monday"),
    ]
    found = [
        cross_encoder.load(str(folder), device="cpu", dtype="float32", runtime=runtime).beliefs(
            asked, labels=(1, 0), limit=24, size=2, tokens=1000
        )
        for folder, runtime in ((exported[0], "torch"), (exported[1], "onnx"))
    ]
    assert found[0][1] == found[1][1]
    for direction in asked:
        torchs, onnxs = (beliefs[direction] for beliefs, _ in found)
        assert math.isclose(torchs.entailment, onnxs.entailment, abs_tol=1e-5)
        assert math.isclose(torchs.contradiction, onnxs.contradiction, abs_tol=1e-5)


def test_a_folder_without_a_graph_names_the_command(bert):
    folder = bert([0.0, 0.0, 0.0])
    with pytest.raises(ConfigError, match=f"Run: python -m guardrail_transformers.onnx_export {folder} FOLDER"):
        NLIEntailment(folder, runtime="onnx").load()


def test_a_device_that_it_does_not_run_on_is_refused(exported):
    with pytest.raises(ConfigError, match="not on 'mps'"):
        NLIEntailment(exported[1], runtime="onnx", device="mps").load()


def test_a_missing_package_names_the_extra(monkeypatch):
    monkeypatch.setattr(
        "guardrail_transformers.nli.find_spec", lambda name: None if name == "onnxruntime" else object()
    )
    with pytest.raises(MissingExtra, match=r"guardrail-middleware\[onnx\]"):
        NLIEntailment(runtime="onnx")


def test_the_graph_runs_without_the_weights(exported):
    assert not list(exported[1].glob("*.safetensors"))
    assert NLIEntailment(exported[1], runtime="onnx").equivalent([pair("ship", "pay")]) == [True]
