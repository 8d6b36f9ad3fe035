"""Spark with Iceberg as a client of the REST protocol, told what to do by lines of JSON.

    python spark_rest.py --uri URL --jars DIR

Each line is a statement as a JSON string; each answer is a line `{"rows": [[…]]}` or `{"error": "…"}`.
Ends when the input ends.
"""

import argparse
import json
import os
import sys

from spark_session import over


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--uri", required=True)
    parser.add_argument("--jars", required=True)
    arguments = parser.parse_args()
    # Standard output is for answers alone.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    session = over(arguments.jars, {"type": "rest", "uri": arguments.uri})
    session.sql("SET CATALOG default")
    for line in sys.stdin:
        try:
            rows = session.sql(json.loads(line)).collect()
            answer = {"rows": [[None if v is None else str(v) for v in row] for row in rows]}
        except Exception as error:  # noqa: BLE001: whatever it is, the caller is told
            answer = {"error": str(error)}
        print(json.dumps(answer), file=answers, flush=True)


if __name__ == "__main__":
    main()
