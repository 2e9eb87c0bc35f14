"""Codec 2 (D. Rowe) through c2enc and c2dec; 8 kHz inside."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np

from wavelex.audio import Audio, resample
from wavelex.bench.evaluation import Transcoder
from wavelex.bench.peers.program import call, need
from wavelex.errors import WavelexError

BITS_A_FRAME = {"700C": 28, "1200": 48, "1600": 64, "2400": 48, "3200": 64}


def codec2(mode: str) -> Transcoder:
    """Transcoder at a mode; the bits are frames times the mode's bits (c2enc pads each frame to whole bytes)."""
    if mode not in BITS_A_FRAME:
        raise WavelexError(f"Codec 2 has no mode {mode!r}; choose {', '.join(BITS_A_FRAME)}")
    need("c2enc", "codec2")
    bits = BITS_A_FRAME[mode]

    def run(audio: Audio) -> tuple[Audio, float]:
        narrow = resample(audio.mono()[None], audio.sample_rate, 8000)[0]
        with tempfile.TemporaryDirectory() as folder:
            raw, coded, decoded = (Path(folder) / name for name in ("in.raw", "coded.bit", "out.raw"))
            (np.clip(narrow, -1, 1) * 32767).astype("<i2").tofile(raw)
            call(["c2enc", mode, str(raw), str(coded)])
            call(["c2dec", mode, str(coded), str(decoded)])
            heard = np.fromfile(decoded, "<i2").astype(np.float32) / 32768
            frames = coded.stat().st_size // -(-bits // 8)
        return Audio(resample(heard[None], 8000, audio.sample_rate), audio.sample_rate), frames * bits

    return run
