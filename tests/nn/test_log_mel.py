"""Log-mel spectra: as librosa computes them, and chunk by chunk."""

from __future__ import annotations

import librosa
import numpy as np
import pytest
import torch
from conftest import voice

from wavelex.nn.log_mel import LogMel


def test_equals_librosa() -> None:
    samples = voice(0.5)
    mel = LogMel(16_000, 640, 160, 80)
    ours = mel(torch.from_numpy(samples)[None, None])[0]
    padded = np.pad(samples, (240, 640))
    theirs = librosa.feature.melspectrogram(
        y=padded, sr=16_000, n_fft=640, hop_length=160, n_mels=80, power=1.0, center=False, window="hann"
    )
    assert ours.shape == (80, 50)
    np.testing.assert_allclose(ours.numpy(), np.log(np.maximum(theirs[:, :50], 1e-5)), atol=1e-3)


@pytest.mark.parametrize("causal", [False, True])
def test_chunks_give_what_the_whole_gives(causal: bool) -> None:
    samples = torch.from_numpy(voice(0.3))[None, None]
    mel = LogMel(16_000, 640, 160, 40, causal=causal)
    whole, state, pieces = mel(samples), mel.initial_state(1, samples), []
    for piece in (*samples.split(333, dim=2), samples[..., :0]):
        y, state = mel.step(piece, state, final=piece.shape[2] == 0)
        pieces.append(y)
    torch.testing.assert_close(torch.cat(pieces, dim=2), whole)
    # The first frame comes with the look-ahead that is declared.
    early, _ = mel.step(samples[..., : 160 + mel.lookahead], mel.initial_state(1, samples))
    assert early.shape[2] == 1
    assert mel.step(samples[..., : 159 + mel.lookahead], mel.initial_state(1, samples))[0].shape[2] == 0
