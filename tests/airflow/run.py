"""Airflow's own operators, scheduler and triggerer, unmodified, against `northstar serve`; run by `make test`.

Needs NORTHSTAR_BIN, the path of the northstar program, and a Python with tests/requirements-airflow.txt.
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent))
from steps import in_lanes  # noqa: E402

from shared import Shared  # noqa: E402


def main() -> None:
    binary = os.environ.get("NORTHSTAR_BIN")
    if not binary or not Path(binary).exists():
        sys.exit("Airflow tests need NORTHSTAR_BIN, the path of the northstar program: run `make test`")
    with tempfile.TemporaryDirectory() as folder:
        shared = Shared.make(Path(binary).resolve(), Path(folder))
        try:
            run(binary, folder)
        finally:
            shared.server.stop()


def run(binary: str, folder: str) -> None:
    """Runs the steps, tells how many passed, and ends."""
    python = sys.executable

    def dag(name: str) -> tuple:
        return f"airflow dags test northstar_{name}", [python, HERE / "dags.py", folder, name]

    # Airflow's database is one file, so what writes to it runs in turn.
    of_airflow = [
        ("what the DAGs are", [python, HERE / "definitions.py", folder]),
        *map(dag, ("daily", "backfill", "rerun", "maintenance", "audit")),
        ("scheduler and triggerer: defer, kill, retry, alert", [python, HERE / "live.py", folder]),
    ]
    of_operators = [
        ("EmrServerlessStartJobOperator, every outcome", [python, HERE / "operators_emr.py", binary]),
        ("GlueJobOperator, every outcome", [python, HERE / "operators_glue.py", binary]),
    ]
    lanes = [of_airflow, of_operators]
    # What Airflow logs is shown where a step fails.
    passed = in_lanes("airflow", lanes, lambda line: False, goes_on=True)
    failed = sum(map(len, lanes)) - passed
    print(f"airflow: {passed} passed; {failed} failed; 0 ignored")
    if failed:
        sys.exit(1)


if __name__ == "__main__":
    main()
