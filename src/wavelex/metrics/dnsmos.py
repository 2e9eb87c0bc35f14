"""DNSMOS P.835 and P.808 (Reddy et al. 2022): opinion scores predicted without a reference, models inside `speechmos`."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from wavelex.errors import WavelexError
from wavelex.metrics.base import SAMPLE_RATE, Column, Metric, Pair


def dnsmos(samples: np.ndarray) -> dict[str, float]:
    """OVRL, SIG, BAK and P.808 of (T,) at 16 kHz, limited to full scale. Raises WavelexError for a silent clip."""
    if not samples.any():
        raise WavelexError("DNSMOS cannot score this clip: it is silent")
    found = _model()(np.clip(samples, -1, 1).astype(np.float32), SAMPLE_RATE, False)
    return {f"dnsmos_{name}": float(found[f"{name}_mos"]) for name in ("ovrl", "sig", "bak", "p808")}


@cache
def _model() -> Any:
    import onnxruntime
    from speechmos import dnsmos as package

    options = onnxruntime.SessionOptions()
    # The package's own sessions would take every core in every worker.
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    folder = Path(package.__file__).parent / "dnsmos_models"
    model = package.DNSMOS.__new__(package.DNSMOS)
    model.onnx_sess, model.p808_onnx_sess = (
        onnxruntime.InferenceSession(str(folder / name), options, providers=["CPUExecutionProvider"])
        for name in ("sig_bak_ovr.onnx", "model_v8.onnx")
    )
    return model


def _measure(pair: Pair) -> dict[str, float]:
    return dnsmos(pair.decoded)


METRIC = Metric(
    "dnsmos",
    tuple(Column(f"dnsmos_{name}", label, 1, 2) for name, label in (("ovrl", "OVRL"), ("sig", "SIG"), ("bak", "BAK"), ("p808", "P.808"))),
    ("speechmos", "onnxruntime", "librosa"),
    "windows of 9.01 s every second, shorter clips repeated; no reference",
    _measure,
    SAMPLE_RATE,
)
