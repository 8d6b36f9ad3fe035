"""Has moto take an UpdateTable of Glue only for the version that the request names, as AWS does.

moto 5.2.5 never reads VersionId: of two writers that commit at once both are told that they did, and the
rows of one are lost. The comparison and the change are one step under a lock, because moto's server
answers each request in a thread of its own.
"""

from __future__ import annotations

import threading

from moto.glue.exceptions import GlueClientError
from moto.glue.responses import GlueResponse

CHANGES = threading.Lock()


def apply() -> None:
    """From now on moto's Glue in this process is strict."""
    unchecked = GlueResponse.update_table

    def update_table(self):
        request = self.parameters
        wanted = request.get("VersionId")
        with CHANGES:
            if wanted is not None:
                table = self.glue_backend.get_table(request["DatabaseName"], request["TableInput"]["Name"])
                if table.as_dict()["VersionId"] != wanted:
                    raise GlueClientError(
                        "ConcurrentModificationException",
                        "Update table failed due to concurrent modifications.",
                    )
            return unchecked(self)

    GlueResponse.update_table = update_table
