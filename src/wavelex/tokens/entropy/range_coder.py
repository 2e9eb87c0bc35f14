"""Range coding with whole-numbered frequencies, to the byte.

constriction does the coding. Its models are given as float64 probabilities; ours are multiples of 2^-16 that sum to one, for which
all its sums and products are whole numbers below 2^53 and therefore the same on every machine.
"""

from __future__ import annotations

import constriction
import numpy as np

TOTAL = 1 << 16
"""What the frequencies of a symbol's alternatives sum to."""
_WORD = 4
_PROBE_BITS = 24


def _categorical() -> object:
    return constriction.stream.model.Categorical(perfect=False)


class RangeEncoder:
    """Symbols in, in the order in which they are to come out."""

    def __init__(self) -> None:
        self._coder = constriction.stream.queue.RangeEncoder()
        self._family = _categorical()

    def encode(self, symbols: np.ndarray, frequencies: np.ndarray) -> None:
        """Append symbols (n,), each with the frequencies (n, size) of its alternatives, which sum to TOTAL."""
        if len(symbols) and frequencies.shape[1] > 1:
            self._coder.encode(symbols.astype(np.int32), self._family, frequencies * (1.0 / TOTAL))

    def finish(self) -> bytes:
        """The shortest bytes that decode to what was appended."""
        if self._coder.is_empty():
            return b""
        # constriction ends on whole words. Any number in the final interval will do, and two more symbols tell where it lies.
        ends: list[bytes] = []
        for probe in (0, (1 << _PROBE_BITS) - 1):
            coder = self._coder.clone()
            coder.encode(probe, constriction.stream.model.Uniform(1 << _PROBE_BITS))
            ends.append(coder.get_compressed().astype(">u4").tobytes())
        low, high = (end + b"\0" * (max(map(len, ends)) - len(end)) for end in ends)
        for size in range(len(high) + 1):
            candidate = high[:size]
            if candidate + b"\0" * (len(low) - size) >= low:
                return candidate
        return high


class RangeDecoder:
    """Symbols out of what `RangeEncoder` gave; of other bytes, some symbols or other, or ValueError."""

    def __init__(self, data: bytes) -> None:
        padded = data + b"\0" * (-len(data) % _WORD + 2 * _WORD)
        self._coder = constriction.stream.queue.RangeDecoder(np.frombuffer(padded, ">u4").astype(np.uint32))
        self._family = _categorical()

    def decode(self, frequencies: np.ndarray) -> np.ndarray:
        """The next symbols (n,) int64, given the frequencies (n, size) of their alternatives.

        Raises ValueError where constriction sees that no encoder can have given these bytes.
        """
        if not len(frequencies) or frequencies.shape[1] == 1:
            return np.zeros(len(frequencies), np.int64)
        try:
            symbols: np.ndarray = self._coder.decode(self._family, frequencies * (1.0 / TOTAL)).astype(np.int64)
        except AssertionError as error:
            raise ValueError("no encoder gives such bytes") from error
        return symbols
