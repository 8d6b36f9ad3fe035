"""The token by which EMR Serverless knows a request that it has had.

A reply may be lost, and then the request is sent again; with the same token it starts nothing. The
number of the try is part of it: without it, a retry would get the run that failed.
"""

from __future__ import annotations

import hashlib
import re

# What AWS takes: [A-Za-z0-9._-]{1,64}.
LONGEST = 64
DIGITS = 32


def client_token(ti) -> str:
    """The token of a try of a task instance: the same each time, and of that try alone."""
    parts = (ti.dag_id, ti.run_id, ti.task_id, ti.map_index, ti.try_number)
    digest = hashlib.sha256("\0".join(map(str, parts)).encode()).hexdigest()[:DIGITS]
    end = f"-{digest}-{ti.try_number}"
    name = re.sub(r"[^A-Za-z0-9._-]", "-", f"{ti.dag_id}-{ti.task_id}")
    return name[: LONGEST - len(end)] + end
