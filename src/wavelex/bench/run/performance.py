"""Speed and memory of a system in a process of its own, which knows nothing of the run around it."""

from __future__ import annotations

import json
import os
import pickle
import platform
import resource
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

from wavelex.bench.run.cache import Cache, content_key
from wavelex.bench.run.runner import ONE_THREAD
from wavelex.bench.systems.system import System, from_pcm, to_pcm
from wavelex.errors import WavelexError
from wavelex.metrics.base import SAMPLE_RATE

REVISION = 3
SECONDS = 10
TURNS = 3
LIMIT_SECONDS = 600


def processor() -> str:
    """The processor's name and its number of cores."""
    names = [line for line in _cpuinfo().splitlines() if line.startswith("model name")]
    name = names[0].partition(":")[2].strip() if names else platform.processor() or platform.machine()
    return f"{name}, {os.cpu_count()} cores"


def _cpuinfo() -> str:
    path = Path("/proc/cpuinfo")
    return path.read_text() if path.exists() else ""


def measure_performance(system: System, clip: np.ndarray, cache: Cache) -> dict[str, float | str]:
    """Times real time of encode and decode on one thread and on all, peak memory in MB unless it is a program, and the
    machine's load; or an `error`.

    `clip` (T,) is repeated or cut to 10 s. Kept in the cache by machine; a program's start counts, loading a model does not.
    """
    key = content_key("performance", REVISION, processor(), system.name, system.about)
    kept: dict[str, float | str] | None = cache.get([key]).get(key)
    if kept is None:
        kept = _in_a_process(system, to_pcm(np.resize(clip, SECONDS * SAMPLE_RATE)))
        kept |= {"load": round(os.getloadavg()[0], 1)}
        if "error" not in kept:
            cache.put(key, kept)
    return kept


def _in_a_process(system: System, data: bytes) -> dict[str, float | str]:
    environment = os.environ | dict.fromkeys(ONE_THREAD, str(os.cpu_count() or 1))
    try:
        done = subprocess.run(
            [sys.executable, "-m", "wavelex.bench.run.performance"],
            input=pickle.dumps((system, data)),
            capture_output=True,
            env=environment,
            timeout=LIMIT_SECONDS,
        )
    except subprocess.TimeoutExpired:
        return {"error": f"{system.name}: took over {LIMIT_SECONDS} s for {SECONDS} s of audio"}
    if done.returncode:
        last = (done.stderr.decode(errors="replace").strip() or "the process died").splitlines()[-1]
        return {"error": f"{system.name}: {last}"}
    found: dict[str, float | str] = json.loads(done.stdout.decode().splitlines()[-1])
    return found


def _peak() -> dict[str, float]:
    """Largest resident size of this process in MB, where the system tells it.

    Not from getrusage, which charges a process with the size of the one that started it; of programs nothing is known, then.
    """
    status = Path("/proc/self/status")
    lines = status.read_text().splitlines() if status.exists() else []
    peaks = [int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM:")]
    return {"peak_mb": peaks[0]} if peaks else {}


def main() -> None:
    """The measured process: a pickled (system, PCM) on standard input, one JSON line on standard output."""
    import torch

    system, data = pickle.loads(sys.stdin.buffer.read())
    samples = from_pcm(data)
    found: dict[str, float] = {}
    for label, threads in (("one", 1), ("all", os.cpu_count() or 1)):
        torch.set_num_threads(threads)
        encodes, decodes = [], []
        try:
            # The first turn loads models and does not count.
            for turn in range(TURNS + 1):
                begun = time.perf_counter()
                coded = system.encode(samples, "clip")
                middle = time.perf_counter()
                system.decode(coded.data)
                if turn:
                    encodes.append(middle - begun)
                    decodes.append(time.perf_counter() - middle)
        except WavelexError as error:
            sys.exit(str(error))
        found |= {f"encode_x_{label}": SECONDS / min(encodes), f"decode_x_{label}": SECONDS / min(decodes)}
        started_programs = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss > 0
        if threads == 1 and not started_programs:
            found |= _peak()
    print(json.dumps(found))


if __name__ == "__main__":
    main()
