"""Running a peer's command-line programs."""

from __future__ import annotations

import shutil
import subprocess
from functools import cache

from wavelex.errors import WavelexError


def need(program: str, package: str) -> None:
    """Raises WavelexError, naming the Debian package, when the program is not installed."""
    if shutil.which(program) is None:
        raise WavelexError(f"the peer program {program} is not installed; apt-get install {package}")


def call(command: list[str]) -> None:
    """Run quietly. Raises WavelexError with the program's last line when it fails."""
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        last = (done.stderr.strip() or done.stdout.strip() or "no message").splitlines()[-1]
        raise WavelexError(f"the peer program {command[0]} failed: {last}")


@cache
def debian_version(package: str) -> str:
    """The installed version of a Debian package, or `unknown` where the system has no dpkg."""
    if shutil.which("dpkg-query") is None:
        return "unknown"
    done = subprocess.run(["dpkg-query", "-W", "-f", "${Version}", package], capture_output=True, text=True)
    return done.stdout.strip() or "unknown"
