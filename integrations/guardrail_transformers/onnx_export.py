"""Writes a folder that ONNX Runtime can run from a transformers classifier.

    python -m guardrail_transformers.onnx_export MODEL FOLDER

MODEL is a folder or an identifier on the hub. Needs the extras transformers and onnx.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from guardrail_transformers.batching import padded, rows


def export(model: str | Path, folder: str | Path) -> Path:
    """Writes graph, configuration and tokenizer; rows and their length stay variable. The graph's path."""
    import torch
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(str(model))
    classifier = AutoModelForSequenceClassification.from_pretrained(str(model), attn_implementation="eager")
    classifier = classifier.float().eval()
    columns = padded(tokenizer, rows(tokenizer, ["a premise", "one"], ["a hypothesis", "another"]))

    class Logits(torch.nn.Module):  # type: ignore[misc]  # torch's types are not followed
        def __init__(self) -> None:
            super().__init__()
            self.classifier = classifier

        def forward(self, *inputs: object) -> object:
            return self.classifier(**dict(zip(columns, inputs, strict=True))).logits

    graph = Path(folder) / "model.onnx"
    graph.parent.mkdir(parents=True, exist_ok=True)
    free = {0: torch.export.Dim("rows"), 1: torch.export.Dim("length")}
    program = torch.onnx.export(
        Logits(),
        tuple(torch.tensor(column) for column in columns.values()),
        dynamo=True,
        verbose=False,
        input_names=list(columns),
        output_names=["logits"],
        dynamic_shapes=((free,) * len(columns),),
    )
    program.save(str(graph))
    classifier.config.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return graph


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m guardrail_transformers.onnx_export", description=__doc__)
    parser.add_argument("model", help="a folder, or an identifier on the hub")
    parser.add_argument("folder", type=Path, help="where to write")
    options = parser.parse_args(arguments)
    print(export(options.model, options.folder))  # noqa: T201 - the command's result


if __name__ == "__main__":
    main()
