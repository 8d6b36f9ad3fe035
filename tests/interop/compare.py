"""Compares rows as multisets and says where they differ, without showing a value."""

from collections import Counter


def difference(names, wanted, found):
    """What differs between two lists of canonical rows, or None.

    `names` are the column names. Row numbers count from 1 in the order of `wanted`.
    """
    if len(wanted) != len(found):
        return f"{len(wanted)} rows against {len(found)}"
    missing = Counter(wanted)
    missing.subtract(found)
    if not any(missing.values()):
        return None
    lost = next(row for row in wanted if missing[row] > 0)
    number = wanted.index(lost) + 1
    # The closest of the rows that are only in `found` tells which columns were altered.
    extra = [row for row, surplus in missing.items() if surplus < 0]
    closest = max(
        extra[:10_000], key=lambda row: sum(a == b for a, b in zip(lost, row, strict=True))
    )
    altered = [name for name, a, b in zip(names, lost, closest, strict=True) if a != b]
    return f"column {', '.join(altered[:5])}, row {number}"
