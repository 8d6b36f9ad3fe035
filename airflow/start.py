"""Airflow with the five DAGs, over `northstar serve` with data made up, until Ctrl-C.

    python airflow/start.py PATH_OF_NORTHSTAR [--port 8080] [--folder DIR]

All data is in a temporary folder, which goes at the end, unless a folder is named.
"""

from __future__ import annotations

import argparse
import signal
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

import place
import stack


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Airflow with Northstar's DAGs, until Ctrl-C")
    parser.add_argument("binary", type=Path, help="path of the northstar program")
    parser.add_argument("--port", type=int, default=8080, help="port of Airflow on 127.0.0.1 [default: 8080]")
    parser.add_argument("--folder", type=Path, help="new folder for all data, which stays [default: a temporary one]")
    return parser.parse_args()


def form(days: list[str]) -> str:
    """What to do first."""
    return f"""
Try, in this order (docs/airflow.md):
  northstar_daily        day {days[0]}, which has landed; switched on, it first tries yesterday, which has not, and fails
  northstar_maintenance  as it is
  northstar_rerun        tables lab_result, facility 1, from {days[0][:8]}01 to {days[0]}
  northstar_backfill     as it is: a task for each facility group
  northstar_audit        with `First tag`

Enter lets the next day land; Ctrl-C ends all of it."""


def days_land(landing: place.Landing) -> None:
    """A day lands with each line of standard input. Then nothing more comes, and this waits."""
    for number in range(1, len(landing.days)):
        if not sys.stdin.readline():
            break
        print(f"{landing.arrive(number)} has landed", flush=True)
    signal.pause()


def run(binary: Path, folder: Path, port: int, ends: ExitStack) -> None:
    """Starts all, and waits."""
    print("making data up: landing folder, warehouse, server", flush=True)
    landing = place.Landing(binary, folder / "landing")
    landing.arrive(0)
    server = place.Server(binary, folder)
    server.start()
    ends.callback(server.stop)
    airflow = stack.Airflow(Path(sys.executable), folder / "airflow", port=port)
    settings = {
        "application_id": server.application("northstar"),
        "role_arn": stack.ROLE,
        "entry_point": stack.ENTRY_POINT,
        "landing": str(landing.folder),
        "poll_seconds": 2,
        "retry_seconds": 10,
    }
    airflow.tell(server.url, settings)
    print("making Airflow's database; half a minute", flush=True)
    airflow.prepare()
    ends.callback(airflow.stop)
    airflow.start()
    print(f"""
Airflow          {airflow.url}   user admin, password {airflow.password}
northstar serve  {server.url}
warehouse        {server.warehouse}
landing folder   {landing.folder}
logs             {airflow.home}
{form(landing.days)}""", flush=True)
    days_land(landing)


def main() -> None:
    asked = arguments()
    if not asked.binary.exists():
        sys.exit(f"there is no program {asked.binary}: run `make build`")
    if asked.folder and asked.folder.exists():
        sys.exit(f"the folder {asked.folder} is there: name a new one")
    # SIGTERM ends it as Ctrl-C does, which a shell may have had ignored.
    for name in (signal.SIGINT, signal.SIGTERM):
        signal.signal(name, signal.default_int_handler)
    with ExitStack() as ends:
        folder = asked.folder or Path(ends.enter_context(tempfile.TemporaryDirectory(prefix="northstar-airflow-")))
        folder.mkdir(parents=True, exist_ok=True)
        try:
            run(asked.binary.resolve(), folder.resolve(), asked.port, ends)
        except KeyboardInterrupt:
            print("\nending Airflow and the server", flush=True)


if __name__ == "__main__":
    main()
