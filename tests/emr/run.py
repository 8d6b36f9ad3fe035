"""The launcher of EMR Serverless and Glue, with processes and a cluster of Spark for real; run by `make test`.

Needs NORTHSTAR_BIN, the path of the northstar program, and NORTHSTAR_SPARK_PYTHON, a Python with PySpark.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent))
from steps import in_lanes  # noqa: E402


def main() -> None:
    binary, spark = os.environ.get("NORTHSTAR_BIN"), os.environ.get("NORTHSTAR_SPARK_PYTHON")
    for name, path in (("NORTHSTAR_BIN", binary), ("NORTHSTAR_SPARK_PYTHON", spark)):
        if not path or not Path(path).exists():
            sys.exit(f"emr tests need {name}: run `make test`")
    lanes = [
        [
            ("waves that are written, refused and committed", [spark, HERE / "waves.py", binary]),
            ("one process, its signals and its end", [spark, HERE / "single.py", binary]),
        ],
        [
            ("200 units, a driver and an executor that are killed", [spark, HERE / "fanout_kills.py", binary]),
            ("a fan-out that is told to end", [spark, HERE / "fanout_stops.py", binary]),
        ],
    ]
    passed = in_lanes("emr", lanes, lambda line: True, goes_on=True)
    failed = sum(map(len, lanes)) - passed
    print(f"emr: {passed} passed; {failed} failed; 0 ignored")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
