"""Steps of a test run: commands in lanes side by side, each told in a line, with all it printed if it fails."""

from __future__ import annotations

import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

Step = tuple[str, list[str | Path]]


def step(suite: str, title: str, command: list[str | Path], shows) -> bool:
    """Runs one command. Of what it prints only the lines that `shows` takes are shown, unless it fails."""
    begun = time.monotonic()
    done = subprocess.run([str(part) for part in command], text=True, capture_output=True)
    if done.returncode != 0:
        print(done.stdout)
        print(done.stderr, file=sys.stderr)
        print(f"{suite} test FAILED: {title}", file=sys.stderr)
        return False
    shown = [f"{suite} test ok: {title} ({time.monotonic() - begun:.0f} s)"]
    shown += [f"  {line}" for line in done.stdout.splitlines() if shows(line)]
    print("\n".join(shown), flush=True)
    return True


def in_lanes(suite: str, lanes: list[list[Step]], shows, *, goes_on: bool) -> int:
    """How many steps passed. Lanes run side by side; in a lane, steps after one that failed are tried if
    it `goes_on`."""

    def in_turn(steps: list[Step]) -> int:
        passed = 0
        for title, command in steps:
            if step(suite, title, command, shows):
                passed += 1
            elif not goes_on:
                break
        return passed

    with ThreadPoolExecutor(len(lanes)) as threads:
        return sum(threads.map(in_turn, lanes))
