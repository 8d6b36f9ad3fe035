"""A backfill of 200 units in tasks of Spark. The first driver is killed between a commit and its record of it; under
the second an executor is killed while it runs a task. All rows are there once.

    python fanout_kills.py PATH_OF_NORTHSTAR
"""

from __future__ import annotations

import os
import signal
import sys

from bed import Bed, Units, ended, executor_of, expect


def main() -> None:
    with Bed(sys.argv[1]) as bed:
        units = Units(bed, ["lab", "visit"], groups=10, periods=10, rows=20)
        expect("units", len(units.names), 200)

        # The commit of the first wave is done, and the driver never hears of it.
        bed.gate.hold('*" backfill commit "*', after=True)
        driver = bed.launch_spark()
        bed.gate.arrived()
        expect("a wave", bed.sql("SELECT count(*), count(DISTINCT _source_file) FROM bronze.lab"), [["1000", "50"]])
        driver.kill()
        driver.communicate()
        bed.gone()
        states = bed.northstar("--output", "csv", "backfill", "units", "--from", str(bed.history), "--into", "bronze")
        expect("units that are done", states.count(",done,"), 50)

        # A task of the next driver runs when its executor is killed.
        bed.gate.hold('*" backfill write "*"--unit=lab/g07/2024-05"*')
        driver = bed.launch_spark()
        task = bed.gate.arrived()
        executor = executor_of(task)
        expect("the executor is none of the driver's own", executor != driver.pid, True)
        os.kill(executor, signal.SIGKILL)
        ended(task)
        out, _ = driver.communicate()
        if driver.returncode != 0:
            sys.exit(f"the second driver ended with {driver.returncode}: {bed.log()[-4000:]}")
        expect("its sums", out.splitlines()[-1].startswith("150 units committed in 3 waves, 0 failed"), True)
        bed.gone()
        units.check(bed)

        # Once more: there is nothing to do, and no Spark is started for it.
        driver = bed.launch(*bed.fanout(), program=bed.binary)
        out, _ = driver.communicate()
        expect("again", (driver.returncode, out), (0, "plan: 0 of 200 units are to be loaded\n"))
        units.check(bed)


if __name__ == "__main__":
    main()
