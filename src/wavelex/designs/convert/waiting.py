"""Published codecs that are recognised, but need a part that this version does not have."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from wavelex.designs.convert.tensors import Tensors


def waiting_for(tensors: Tensors, config: Mapping[str, Any]) -> str:
    """Which codec's weights these are and what they wait for, as a sentence; empty for those of no codec that is known here."""
    for name, (model_type, of_this_codec) in CODECS.items():
        if config.get("model_type") == model_type or of_this_codec(tensors):
            return f"{name} needs a semantic encoder (a self-supervised speech model), which this version does not have"
    return ""


def _joined(tensors: Tensors) -> bool:
    """X-Codec and its kin: semantic and acoustic features are joined by `fc` before the quantizer."""
    return {"fc.weight", "fc1.weight", "fc2.weight", "encoder_semantic.conv.weight"} <= set(tensors.names())


def _adapted(tensors: Tensors, outputs: int) -> bool:
    """X-Codec-2 and its kin, whose spectrum has as many values as the hop of their sample rate asks for."""
    head = "acoustic_decoder.head.linear.weight"
    return head in tensors and "semantic_adapter.conv1.weight" in tensors and tensors.shape(head)[0] == outputs


CODECS: Mapping[str, tuple[str, Callable[[Tensors], bool]]] = {
    "Higgs Audio V2": ("higgs_audio_v2_tokenizer", lambda t: _joined(t) and "quantizer.quantizers.0.project_in.weight" in t),
    "X-Codec": ("xcodec", _joined),
    "NeuCodec": ("neucodec", lambda t: _adapted(t, 4 * 480 + 2)),
    "X-Codec-2": ("xcodec2", lambda t: _adapted(t, 4 * 320 + 2)),
}
"""By name: what its configuration calls it, and how its tensors tell. Names and shapes are those of transformers."""
