"""What an installed wheel must be able to do: `python benchmarks/smoke.py`, in an environment that holds the wheel alone."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path


def main() -> None:
    """Ends with an error at the first thing that fails."""
    with tempfile.TemporaryDirectory() as folder:
        started = time.process_time()
        import wavelex

        assert time.process_time() - started < 0.5, "importing wavelex brings in what it does not need"
        from wavelex.data import demo_recording

        recording = demo_recording()
        recording.save(Path(folder) / "me.wav")
        for words in (["--version"], ["encode", "me.wav"], ["info", "me.wlx"], ["decode", "me.wlx"]):
            subprocess.run([sys.executable, "-m", "wavelex", *words], cwd=folder, check=True)
        heard = wavelex.read_audio(Path(folder) / "me.decoded.wav")
        assert len(heard) == len(recording), "what comes back is as long as what went in"
    print("the wheel works")


if __name__ == "__main__":
    main()
