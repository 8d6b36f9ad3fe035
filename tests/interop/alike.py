"""Holds what every engine reads of a table to what northstar reads, row for row."""

from compare import difference
from engines import schema_at


class Different(Exception):
    """Two engines do not agree; the message names table, engine, column and row number."""


class Alike:
    """The engines, what they are known to read wrongly, and how often they were compared.

    `known` maps an engine's name to why it does not read a table. It is asked all the same, and `settle`
    fails for an entry of which no reading was wrong, so that none outlives the fault it describes.
    """

    def __init__(self, ours, readers):
        self.ours, self.readers = ours, readers
        self.compared = 0
        self.set_aside = 0
        self.at_fault = set()

    def now(self, table, when, known=(), where=None):
        """Compares the rows as they are, or those of a condition; returns their number."""
        return self.at(table, when, None, dict(known), where)

    def everywhere(self, table, when, known=()):
        """Compares the rows as they are, and those of each snapshot that is kept."""
        count = self.now(table, when, known)
        current = table.current_snapshot()
        for snapshot in table.metadata.snapshots:
            number = snapshot.snapshot_id
            # The current one was read, unless columns have changed since.
            if snapshot == current and snapshot.schema_id == table.schema().schema_id:
                continue
            self.at(table, f"{when}, snapshot {number}", number, dict(known))
        return count

    def at(self, table, when, snapshot_id, known, where=None):
        names = [field.name for field in schema_at(table, snapshot_id).fields]
        wanted = self.ours.rows(table, snapshot_id, where)
        for reader in self.readers:
            self.hold(reader, table, snapshot_id, names, wanted, when, known, where)
        return len(wanted)

    def hold(self, reader, table, snapshot_id, names, wanted, when, known, where=None):
        name = ".".join(table.name())
        if reader.name in known:
            self.known_fault(reader, table, snapshot_id, names, wanted)
            return
        try:
            found = reader.rows(table, snapshot_id, where)
        except Exception as error:
            raise Different(f"{name} {when}: {reader.name} fails: {str(error)[:500]}") from error
        if what := difference(names, wanted, found):
            raise Different(f"{name} {when}: {reader.name} reads it differently: {what}")
        self.compared += 1

    def known_fault(self, reader, table, snapshot_id, names, wanted):
        try:
            right = difference(names, wanted, reader.rows(table, snapshot_id)) is None
        except Exception:
            right = False
        if right:
            self.compared += 1
            return
        self.set_aside += 1
        self.at_fault.add((".".join(table.name()), reader.name))

    def settle(self, known):
        """Every known fault, by table and engine, must have been seen."""
        for name, engines in known.items():
            for engine in engines:
                if (name, engine) not in self.at_fault:
                    raise Different(f"{engine} reads {name} rightly now: take it out of the known faults")
