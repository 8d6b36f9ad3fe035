"""The commands of `northstar backfill` by themselves, as drivers and tasks call them: waves that are written, refused,
committed twice, broken off and tampered with.

    python waves.py PATH_OF_NORTHSTAR
"""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from pathlib import Path

from bed import CONTRACT, Bed, expect

EAST, WEST, LATER = "visit/east/2024-01", "visit/west/2024-01", "visit/west/2024-02"


class Waves:
    """A source of three units, with a bad record in the second, and the commands over it."""

    def __init__(self, bed: Bed, name: str):
        self.bed, self.lake, self.source = bed, bed.folder / name, bed.folder / f"{name}-source"
        self.put("visit/east/2024-01.csv", rows(0, 10, "east"))
        self.put("visit/west/2024-01.csv", rows(10, 20, "west") + "x\n")
        self.put("visit/west/2024-02/a.csv", rows(20, 25, "west"))
        (self.source / "tables.toml").write_text(CONTRACT, encoding="utf-8")

    def put(self, name: str, text: str) -> None:
        path = self.source / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")

    def run(self, *words: str, text: str | None = None) -> tuple[int, str, str]:
        command = [self.bed.binary, "--warehouse", str(self.lake), "--output", "csv", *words]
        done = subprocess.run(command, text=True, capture_output=True, check=False, input=text)
        return done.returncode, done.stdout, done.stderr

    def backfill(self, command: str, *words: str, text: str | None = None) -> tuple[int, str, str]:
        return self.run("backfill", command, "--from", str(self.source), "--into", "bronze", *words, text=text)

    def well(self, command: str, *words: str, text: str | None = None) -> str:
        code, out, err = self.backfill(command, *words, text=text)
        expect(f"backfill {command}: {err}", code, 0)
        return out

    def written(self, *units: str) -> tuple[str, str]:
        named = [f"--unit={unit}" for unit in units]
        wave = self.well("plan", *named).strip()
        return wave, self.well("write", f"--wave={wave}", *named)

    def commit(self, descriptors: str) -> tuple[int, list[str], str]:
        """The exit code, the outcomes of units, and what was noted."""
        code, out, err = self.backfill("commit", "--descriptors=-", text=descriptors)
        return code, [row["outcome"] for row in csv.DictReader(out.splitlines())], err

    def states(self, *words: str) -> list[str]:
        return [row["state"] for row in csv.DictReader(self.well("units", *words).splitlines())]

    def counts(self) -> list[int]:
        """Rows, distinct ids, and records in quarantine."""
        landed = self.numbers("SELECT count(*), count(DISTINCT id) FROM bronze.visit")[0]
        return landed + self.numbers("SELECT count(*) FROM bronze.quarantine")[0]

    def numbers(self, query: str) -> list[list[int]]:
        code, out, err = self.run("sql", query)
        expect(f"{query}: {err}", code, 0)
        return [[int(cell) for cell in row] for row in csv.reader(out.splitlines()[1:])]

    def seqs(self) -> list[list[int]]:
        return self.numbers("SELECT _seq, count(*) FROM bronze.visit GROUP BY 1 ORDER BY 1")


def rows(first: int, last: int, site: str) -> str:
    lines = [f"{number},{site},2024-01-{number % 28 + 1:02}\n" for number in range(first, last)]
    return "id,site,seen\n" + "".join(lines)


def committed_once(waves: Waves) -> None:
    expect("before there is a warehouse", (waves.states(), waves.lake.exists()), (["pending"] * 3, False))
    wave, first = waves.written(EAST, WEST)
    expect("written, not committed", waves.counts(), [0, 0, 0])
    second = waves.well("write", f"--wave={wave}", f"--unit={WEST}", f"--unit={EAST}")
    expect("a task that ran twice", waves.commit(first + second)[:2], (0, ["committed"] * 2 + ["already there"] * 2))
    expect("each row once", waves.counts(), [20, 20, 1])
    # As by a driver that died between its commit and its record of it.
    for again in (first, second):
        expect("the same again", waves.commit(again)[:2], (0, ["already there"] * 2))
    expect("still", (waves.counts(), waves.seqs()), ([20, 20, 1], [[1, 20]]))
    for words in ([], ["--by-name"]):
        expect(f"states {words}", waves.states(*words), ["done", "done", "pending"])
    code, out, _ = waves.run("maintain", "orphans", "bronze.visit", "--older-than", "1d")
    expect("the files of the second task are for orphan removal", code, 0)


def refused_when_moved(waves: Waves) -> None:
    _, late = waves.written(WEST, LATER)
    waves.commit(waves.written(EAST)[1])
    code, _, err = waves.commit(late)
    expect("a wave whose number is taken", (code, "run the backfill again" in err), (3, True))
    expect("nothing of it is there", (waves.counts(), waves.states()), ([10, 10, 0], ["done", "pending", "pending"]))
    stale = json.dumps(json.loads(late.splitlines()[0])["wave"])
    expect("nor is it written for", waves.backfill("write", f"--wave={stale}", f"--unit={WEST}")[0], 3)
    waves.well("run")
    expect("run again", (waves.counts(), waves.seqs()), ([25, 25, 1], [[1, 10], [2, 15]]))
    out = waves.well("run")
    expect("once more", (out.splitlines()[1], waves.seqs()), ("visit,3,3,0,0,0,0", [[1, 10], [2, 15]]))


def broken_off(waves: Waves) -> None:
    """Rejects are committed and their rows are not: the data file is away meanwhile."""
    _, written = waves.written(WEST)
    path = data_file(written)
    path.rename(path.with_suffix(".away"))
    expect("a file that is gone", waves.commit(written)[0] in (1, 3), True)
    expect("rejects went first", waves.counts(), [0, 0, 1])
    expect("the unit is pending", waves.states()[1], "pending")
    path.with_suffix(".away").rename(path)
    expect("the same again", waves.commit(written)[:2], (0, ["committed"]))
    expect("no reject twice", waves.counts(), [10, 10, 1])


def broken_off_and_written_again(waves: Waves) -> None:
    _, written = waves.written(WEST)
    data_file(written).unlink()
    waves.commit(written)
    waves.well("run")
    expect("run again", (waves.counts(), waves.states()), ([25, 25, 1], ["done"] * 3))


def same_content(waves: Waves) -> None:
    waves.put("visit/west/2024-02/copy.csv", rows(0, 10, "east"))
    _, written = waves.written(EAST, LATER)
    expect("a unit that is there in part", waves.commit(written)[:2], (0, ["committed", "pending"]))
    expect("the copy is not doubled", waves.counts(), [10, 10, 0])
    waves.well("run")
    expect("the rest of it", (waves.counts(), waves.states()), ([25, 25, 1], ["done"] * 3))


def tampered(waves: Waves) -> None:
    _, written = waves.written(EAST)
    folder = data_file(written).parent
    location = json.loads(json.loads(written)["rows"]["files"][0])["file_path"]
    below = location[: location.index("/data/") + len("/data/")]
    for place in ("file:///etc/", f"{below}../", f"{below}/", f"{below}./"):
        code, _, err = waves.commit(written.replace(below, place))
        expect(f"files in {place}", (code, "not of this table" in err), (1, True))
    code, _, err = waves.commit(written.replace('"outcome":"loaded"', '"outcome":"loaded","name2":"Jane"'))
    expect("what is no descriptor is not quoted", (code, "Jane" in err), (1, False))
    sha256 = json.loads(written)["files"][0]["sha256"]
    for no_hash in (sha256.upper(), "') OR ('' = '"):
        expect(f"a hash that is none: {no_hash}", waves.commit(written.replace(sha256, no_hash))[0], 1)
    code, _, err = waves.commit(written.replace('"landed-rows":10', '"landed-rows":9'))
    expect("other counts than rows", (code, "other rows than it counts" in err), (1, True))
    expect("no descriptor", waves.commit("")[0], 1)
    other = waves.written(LATER)[1]
    expect("two waves", waves.commit(written + other)[0], 1)
    short = next(folder.glob("*.parquet"))
    short.write_bytes(short.read_bytes()[:-1])
    expect("a file of another size", waves.commit(written)[0] in (1, 3), True)
    expect("nothing is there", waves.counts(), [0, 0, 0])
    code, _, err = waves.backfill("plan", f"--unit={EAST}", "--unit=lab/east/2024-01")
    expect("a unit that is not there", (code, "lab/east/2024-01" in err), (1, True))
    expect("a unit that is none", waves.backfill("plan", "--unit=../east/1")[0], 1)


def refused_files(waves: Waves) -> None:
    waves.put("visit/west/2024-02/b.csv", "other\n1\n")
    waves.put("broken/west/2024-02.csv", '"never closed\n')
    code, _, err = waves.backfill("run")
    expect("files that are refused", (code, "visit/west/2024-02/b.csv" in err, "broken/west" in err), (1, True, True))
    expect("the others are there", waves.counts(), [25, 25, 1])
    expect("their units are pending", waves.states("--table", "visit"), ["done", "done", "pending"])
    code, out, _ = waves.backfill("plan", "--unit=broken/west/2024-02")
    expect("no wave for a table that cannot be made", (code, out), (1, ""))


def data_file(descriptor: str) -> Path:
    """The first data file of rows that a descriptor tells of."""
    location = json.loads(json.loads(descriptor.splitlines()[0])["rows"]["files"][0])["file_path"]
    return Path(location.removeprefix("file://"))


def main() -> None:
    checks = [
        committed_once,
        refused_when_moved,
        broken_off,
        broken_off_and_written_again,
        same_content,
        tampered,
        refused_files,
    ]
    with Bed(sys.argv[1]) as bed:
        for check in checks:
            check(Waves(bed, check.__name__))


if __name__ == "__main__":
    main()
