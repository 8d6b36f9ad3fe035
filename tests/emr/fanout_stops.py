"""A fan-out that is told to end, with units that fail: what it started ends with it, and what failed is told.

    python fanout_stops.py PATH_OF_NORTHSTAR
"""

from __future__ import annotations

import sys

from bed import Bed, Units, expect


def refused(bed: Bed) -> None:
    """Fan-out is for backfills, and a dry run starts nothing."""
    driver = bed.launch("--mode", "fanout", "tables", program=bed.binary)
    _, err = driver.communicate()
    expect("another command", (driver.returncode, "backfill run" in err), (1, True))
    driver = bed.launch(*bed.fanout("--dry-run"), program=bed.binary)
    out, _ = driver.communicate()
    expect("a dry run", (driver.returncode, "12 units" in out, bed.lake.exists()), (0, True, False))


def main() -> None:
    with Bed(sys.argv[1]) as bed:
        units = Units(bed, ["visit"], groups=3, periods=4, rows=5)
        refused(bed)

        bed.gate.hold('*" backfill write "*"--unit=visit/g01/2024-02"*')
        driver = bed.launch_spark()
        bed.gate.arrived()
        driver.terminate()
        driver.communicate()
        expect("the end by SIGTERM", driver.returncode, 143)
        bed.gone()
        expect("nothing is committed", bed.sql("SELECT count(*) FROM bronze.visit"), [["0"]])

        # A unit without the columns of its table fails, and the others go on.
        name = "visit/g02/2024-01.csv"
        good = (bed.history / name).read_text(encoding="utf-8")
        (bed.history / name).write_text("other\n1\n", encoding="utf-8")
        driver = bed.launch_spark("--commit-units", "5")
        out, _ = driver.communicate()
        expect("a unit that fails", (driver.returncode, "11 units committed in 3 waves, 1 failed" in out), (1, True))
        expect("is named", "unit visit/g02/2024-01 failed" in bed.log(), True)
        bed.gone()
        # Repaired, it is loaded by the program alone: both ways know what the other did.
        (bed.history / name).write_text(good, encoding="utf-8")
        bed.northstar("backfill", "run", "--from", str(bed.history), "--into", "bronze")
        units.check(bed)


if __name__ == "__main__":
    main()
