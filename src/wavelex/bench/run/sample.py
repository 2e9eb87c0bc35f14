"""Synthetic sentences for tests and the regression gate, which need speech and no recording."""

from __future__ import annotations

import ctypes
from functools import cache

import numpy as np

from wavelex.audio.samples import Audio
from wavelex.errors import WavelexError

SENTENCE = "The birch canoe slid on the smooth planks. Glue the sheet to the dark blue background."


def speak(sentence: str = SENTENCE) -> Audio:
    """Synthetic speech by espeak-ng's library (package espeakng-loader), at its own rate, mono."""
    try:
        import espeakng_loader
    except ImportError as error:
        raise WavelexError("synthetic speech needs espeakng-loader (GPL); pip install 'wavelex[dev]'") from error
    library, rate = _espeak(str(espeakng_loader.get_library_path()), str(espeakng_loader.get_data_path()))
    heard: list[np.ndarray] = []

    def collect(samples: object, count: int, events: object) -> int:
        if samples and count > 0:
            heard.append(np.ctypeslib.as_array(samples, (count,)).copy())  # type: ignore[call-overload]
        return 0  # go on

    callback = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_int16), ctypes.c_int, ctypes.c_void_p)(collect)
    library.espeak_SetSynthCallback(callback)
    text = sentence.encode()
    from_start, characters_utf8 = 1, 1
    library.espeak_Synth(text, len(text) + 1, 0, from_start, 0, characters_utf8, None, None)
    library.espeak_Synchronize()
    if not heard:
        raise WavelexError("espeak-ng gave no sound")
    return Audio((np.concatenate(heard).astype(np.float32) / 32768)[None], rate)


@cache
def _espeak(library_path: str, data_path: str) -> tuple[ctypes.CDLL, int]:
    """The library, started once a process (a second start loses part of what is spoken), and its sample rate."""
    library = ctypes.CDLL(library_path)
    synchronous = 2
    rate = int(library.espeak_Initialize(synchronous, 0, data_path.encode(), 0))
    if rate <= 0:
        raise WavelexError("espeak-ng could not start")
    return library, rate
