"""Streaming: each chunk of sound through the codec as it comes.

python examples/microphone.py [RECORDING]      # from a file (or the package's own recording), in chunks of 20 ms
python examples/microphone.py --live [SECONDS] # from the microphone to the loudspeaker (wear headphones); needs the package sounddevice
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator

import numpy as np

import wavelex
from wavelex.data import demo_recording

CHUNK_SECONDS = 0.02


def from_recording(path: str | None) -> None:
    """As a sound device would give it, and how much of the time between chunks computing takes."""
    audio = wavelex.read_audio(path) if path else demo_recording()
    samples, rate = audio.mono(), audio.sample_rate
    codec = wavelex.load("speech-16k")
    encoder = codec.stream_encoder(codebooks=4, effort=0, sample_rate=rate)
    decoder = codec.stream_decoder(sample_rate=rate)
    heard, busy = [], 0.0
    for chunk in chunks(samples, round(CHUNK_SECONDS * rate)):
        begun = time.perf_counter()
        heard.append(decoder.push(encoder.push(chunk)))
        busy += time.perf_counter() - begun
    behind = len(samples) - sum(piece.shape[1] for piece in heard)
    heard += [decoder.push(encoder.flush()), decoder.flush()]
    result = np.concatenate(heard, axis=1)[:, : len(samples)]
    wavelex.write_audio("streamed.wav", wavelex.Audio(result, rate))
    print(
        f"{len(samples) / rate:.2f} s in chunks of {1000 * CHUNK_SECONDS:.0f} ms: busy {100 * busy * rate / len(samples):.0f}% of the time"
    )
    print(f"the decoder was {1000 * behind / rate:.0f} ms behind the last chunk; the sound is in streamed.wav")


def chunks(samples: np.ndarray, size: int) -> Iterator[np.ndarray]:
    return (samples[begin : begin + size] for begin in range(0, len(samples), size))


def live(seconds: float) -> None:
    """From the microphone to the loudspeaker."""
    try:
        import sounddevice
    except (ImportError, OSError) as error:
        raise SystemExit(f"no sound device can be used ({error}); pip install sounddevice, or leave --live away") from error
    codec = wavelex.load("speech-16k")
    encoder, decoder = codec.stream_encoder(codebooks=4, effort=0), codec.stream_decoder()
    size = round(CHUNK_SECONDS * codec.sample_rate)
    with sounddevice.Stream(samplerate=codec.sample_rate, blocksize=size, channels=1, dtype="float32") as device:
        for _ in range(round(seconds / CHUNK_SECONDS)):
            chunk, _overflowed = device.read(size)
            device.write(np.ascontiguousarray(decoder.push(encoder.push(chunk[:, 0])).T))


if __name__ == "__main__":
    if sys.argv[1:2] == ["--live"]:
        live(float(sys.argv[2]) if len(sys.argv) > 2 else 10.0)
    else:
        from_recording(sys.argv[1] if len(sys.argv) > 1 else None)
