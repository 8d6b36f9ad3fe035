"""A backfill in tasks of Spark that share no folder: units and tables in a bucket, the catalog behind Glue's API.

    python fanout_bucket.py PATH_OF_NORTHSTAR OPTIONS... -- SOURCE_BUCKET_PREFIX PUT...

`OPTIONS` are those of the warehouse. `PUT...` is a command that puts a folder, its last word, into the bucket. Run by
tests/serve/s3_fanout.py, which has the bucket and the catalog.
"""

from __future__ import annotations

import subprocess
import sys

from bed import Bed, Units, expect


def main() -> None:
    binary, at = sys.argv[1], sys.argv.index("--")
    with Bed(binary) as bed:
        bed.options, (bed.source, *put) = sys.argv[2:at], sys.argv[at + 1 :]
        units = Units(bed, ["lab", "visit"], groups=3, periods=4, rows=20)
        subprocess.run([*put, str(bed.folder / "tables.toml"), str(bed.history)], check=True)
        bed.gate.hold('*" backfill commit "*', after=True)
        # What is here is what nobody else may look at.
        bed.history.rename(bed.folder / "moved away")

        # The commit of the first wave is done, and the driver never hears of it.
        driver = bed.launch_spark("--commit-units", "8")
        bed.gate.arrived()
        driver.kill()
        driver.communicate()
        bed.gone()
        driver = bed.launch_spark("--commit-units", "8")
        out, _ = driver.communicate()
        if driver.returncode != 0:
            sys.exit(f"the second driver ended with {driver.returncode}: {bed.log()[-4000:]}")
        last = out.splitlines()[-1]
        expect("its sums", last.startswith("16 units committed in 3 waves, 0 failed"), True)
        units.check(bed)
        driver = bed.launch(*bed.fanout(), program=bed.binary)
        out, _ = driver.communicate()
        expect("again", (driver.returncode, out), (0, "plan: 0 of 24 units are to be loaded\n"))


if __name__ == "__main__":
    main()
