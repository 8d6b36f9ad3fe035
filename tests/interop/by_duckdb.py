"""Tables that DuckDB writes, through a REST catalog over the same `catalog.db`."""

import pathlib
import sys
import threading
from http.server import ThreadingHTTPServer

import by_pyiceberg
import duckdb_session
import rows

# The REST catalog that the benchmark's DuckDB writes through.
sys.path.append(str(pathlib.Path(__file__).parents[2] / "benches" / "peers"))

from rest_front import Front

BY = {
    name: by_pyiceberg.BY[name]
    for name in ("plain", "identity", "bucket", "truncate", "year", "month", "day", "hour")
}
REFUSED = {}
SERVED = {}


def connection(lake):
    """DuckDB, attached to the lake as `lake`; the catalog is served as long as the process runs."""
    if lake.folder not in SERVED:
        front = type("FrontOfLake", (Front,), {"catalog": lake.catalog})
        server = ThreadingHTTPServer(("127.0.0.1", 0), front)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        SERVED[lake.folder] = f"http://127.0.0.1:{server.server_port}"
    made = duckdb_session.connect()
    made.execute("SET TimeZone = 'UTC'")
    made.execute(
        f"ATTACH 'lake' AS lake (TYPE iceberg, ENDPOINT '{SERVED[lake.folder]}', AUTHORIZATION_TYPE 'none')"
    )
    return made


def tables(lake):
    """Inserts in two commits, then rows deleted and updated, which are position deletes."""
    lake.catalog.create_namespace("duck")
    duck = connection(lake)
    for name, fields in BY.items():
        spec = by_pyiceberg.spec(fields)
        lake.catalog.create_table(f"duck.{name}", by_pyiceberg.SCHEMA, partition_spec=spec)
        for numbers in (range(30), range(30, 40)):
            given = rows.arrow(by_pyiceberg.SCHEMA, numbers)
            duck.execute(f"INSERT INTO lake.duck.{name} SELECT * FROM given")
        duck.execute(f"DELETE FROM lake.duck.{name} WHERE id IN (3, 4, 33)")
        duck.execute(f"UPDATE lake.duck.{name} SET site = 'set' WHERE id IN (5, 6)")
        yield f"duck.{name}"


def again(lake, name):
    duck = connection(lake)
    duck.execute(f"DELETE FROM lake.{name} WHERE id = 11")
    duck.execute(f"INSERT INTO lake.{name} (id, site) VALUES (7000, 'after')")
