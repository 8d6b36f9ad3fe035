"""Spark over a catalog, in a process of its own: statements in, rows out, a JSON value a line.

    SPARK_PYTHON spark_statements.py JARS SETTINGS_AS_JSON
"""

import json
import os
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "interop" / "spark"))
import spark_session  # noqa: E402


def main():
    # What libraries print must not stand between the answers.
    answers, sys.stdout = os.fdopen(os.dup(1), "w"), sys.stderr
    os.dup2(2, 1)
    session = spark_session.over(sys.argv[1], json.loads(sys.argv[2]))
    for line in sys.stdin:
        try:
            rows = [list(row) for row in session.sql(json.loads(line)).collect()]
            answer = {"rows": rows}
        except Exception as error:  # noqa: BLE001
            answer = {"error": f"{type(error).__name__}: {error}"[:2000]}
        print(json.dumps(answer, default=str), file=answers, flush=True)
    session.stop()


if __name__ == "__main__":
    main()
