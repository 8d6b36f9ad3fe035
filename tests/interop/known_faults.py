"""What other engines read wrongly or not at all, by table and engine, and why.

An entry that no longer holds fails the test (`alike.py`).
"""

NESTED = {
    "pyiceberg": "0.12 reads a NULL list of structs as an empty list",
    "clickhouse": "it has no NULL for structs, lists and maps: they are read as empty ones",
}
# "required field 'sequence_number' is NULL": the specification has 0 for it.
UPGRADED = {"duckdb": "in an upgraded table it does not read manifest lists of version 1"}
KNOWN = {
    "py.first_version": UPGRADED,
    "theirs.first": UPGRADED,
    # chDB 26.9: "icebergTruncate … Second argument must be of native integer type", before any filter.
    "ours.truncates_mor": {"clickhouse": "it cannot truncate decimals"},
    # PyIceberg 0.12 refuses: "PyIceberg does not yet support equality deletes".
    "theirs.equality": {"pyiceberg": "it does not apply equality deletes"},
    "py.nested": NESTED,
    "theirs.nested": NESTED,
}
