"""Two training steps of every design at its small preset, on whatever device there is: `make gpu-check`.

    python benchmarks/gpu_check.py [--designs mimi snac_24k] [--device cuda] [--width 0.125] [--precision auto] [--compile]

Each is trained as its recipe says in the last stage that has steps, with two clips of a second in a batch, on the recording that comes
with the package. On a CPU discriminators of samples have an eighth of the published width, and the memory is the most that the whole
process has taken so far. Ends with 1 when a design fails.
"""

from __future__ import annotations

import argparse
import resource
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from wavelex.data import demo_recording
from wavelex.designs import DESIGNS, build, recipe
from wavelex.objectives import TERMS
from wavelex.training.data import PackedAudio
from wavelex.training.settings import Settings
from wavelex.training.trainer import Trainer

STEPS = 2


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--designs", nargs="*", default=list(DESIGNS), choices=list(DESIGNS), metavar="DESIGN")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--width", type=float, help="of discriminators of samples, as a share of the published (1, on a CPU 0.125)")
    parser.add_argument("--precision", default="auto")
    parser.add_argument("--compile", action="store_true")
    options = parser.parse_args()
    device = torch.device(options.device)
    width = options.width or (0.125 if device.type == "cpu" else 1.0)
    print(f"{torch.cuda.get_device_name(device) if device.type == 'cuda' else device}, discriminators of {width:g} of their width")
    print(f"{'design':<24}{'million parameters':>20}{'first step, s':>15}{'steps a second':>16}{'memory, MB':>12}")
    failed = []
    with tempfile.TemporaryDirectory() as folder:
        for design in options.designs:
            try:
                print(f"{design:<24}{checked(design, device, width, options.precision, options.compile, Path(folder))}", flush=True)
            except Exception as error:
                failed.append(design)
                print(f"{design:<24}  failed: {type(error).__name__}: {error}", flush=True)
    if failed:
        sys.exit(1)


def checked(design: str, device: torch.device, width: float, precision: str, compiled: bool, folder: Path) -> str:
    """The rest of a design's row. Raises whatever goes wrong, and ValueError for a step that was not finite."""
    settings = replace(settings_of(design, width), precision=precision, compile=compiled)
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
    torch.manual_seed(0)
    model = build(design, preset="small")
    path = folder / "demo.wav"
    if not path.exists():
        demo_recording().save(path)
    audio = PackedAudio([path], model.sample_rate, folder / "cache", lambda done: None)
    trainer = Trainer(model, settings, audio, device)
    seconds = []
    for _ in range(STEPS):
        begun = time.perf_counter()
        if not trainer.step():
            raise ValueError("a step was not finite")
        seconds.append(time.perf_counter() - begun)
    memory = torch.cuda.max_memory_allocated(device) if device.type == "cuda" else resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    parameters = sum(p.numel() for p in model.parameters()) / 1e6
    return f"{parameters:>20.2f}{seconds[0]:>15.2f}{1 / seconds[1]:>16.2f}{memory / 1e6:>12.0f}"


def settings_of(design: str, width: float) -> Settings:
    """Those of its recipe, with two steps of the last stage that has any."""
    its = recipe(design)
    stage = [stage for stage in its.stages if stage.steps][-1]
    narrow = {term: {"width": width} for term in stage.objectives if f"{term}_features" in TERMS}
    small: Mapping[str, Any] = {"batch": 2, "accumulate": 1, "segment_seconds": 1.0, "kmeans_batches": 2, "warmup": 1}
    options = {**its.options, **{term: {**its.options.get(term, {}), **option} for term, option in narrow.items()}}
    return replace(Settings.of(its, **small), stages=(replace(stage, steps=STEPS),), options=options)


if __name__ == "__main__":
    main()
