"""The program asks for no C library that EMR's image has not.

Run as `python tests/image/glibc.py NORTHSTAR_BIN [AARCH64_BIN …]`. EMR's images from release 7 on stand on
Amazon Linux 2023, whose glibc is 2.34: a program that asks for a version above does not start there.
"""

from __future__ import annotations

import sys
from pathlib import Path

from elftools.elf.dynamic import DynamicSection
from elftools.elf.elffile import ELFFile
from elftools.elf.gnuversions import GNUVerNeedSection, GNUVerSymSection
from elftools.elf.sections import SymbolTableSection

LIMIT = (2, 34)
# What glibc and GCC bring; the image has them.
LIBRARIES = {
    "libc.so.6", "libm.so.6", "libgcc_s.so.1", "libdl.so.2", "libpthread.so.0", "librt.so.1",
    "ld-linux-x86-64.so.2", "ld-linux-aarch64.so.1",
}

Version = tuple[int, ...]


def number(name: str) -> Version | None:
    """`GLIBC_2.34` as (2, 34); no number for versions of other libraries."""
    return tuple(map(int, name.removeprefix("GLIBC_").split("."))) if name.startswith("GLIBC_2") else None


def asked(path: Path) -> tuple[dict[Version, list[str]], set[str]]:
    """The symbols that a program takes from glibc, by version, and the libraries that it loads."""
    with path.open("rb") as file:
        elf = ELFFile(file)
        parts = list(elf.iter_sections())
        dynamic = [part for part in parts if isinstance(part, DynamicSection)]
        needed = {tag.needed for part in dynamic for tag in part.iter_tags("DT_NEEDED")}
        names = {
            version["vna_other"]: version.name
            for part in parts if isinstance(part, GNUVerNeedSection)
            for _, versions in part.iter_versions() for version in versions
        }
        of_symbols = next(part for part in parts if isinstance(part, GNUVerSymSection))
        symbols = next(part for part in parts if isinstance(part, SymbolTableSection) and part.name == ".dynsym")
        # A version that no symbol has is still looked for when the program starts.
        found: dict[Version, list[str]] = {version: [] for version in map(number, names.values()) if version}
        for at, symbol in enumerate(symbols.iter_symbols()):
            version = number(names.get(of_symbols.get_symbol(at)["ndx"], ""))
            if version:
                found[version].append(symbol.name)
        return found, needed


def above(found: dict[Version, list[str]], limit: Version) -> dict[str, list[str]]:
    """What is newer than a limit."""
    return {"GLIBC_" + ".".join(map(str, version)): names for version, names in found.items() if version > limit}


def main() -> None:
    expected = above({(2, 34): ["a"], (2, 35): ["hypot"], (2, 4): ["b"], (3, 0): []}, LIMIT)
    assert expected == {"GLIBC_2.35": ["hypot"], "GLIBC_3.0": []}, expected
    for path in map(Path, sys.argv[1:]):
        found, needed = asked(path)
        # The reader reads: each program takes symbols of glibc, such as the one that starts it.
        assert any("__libc_start_main" in names for names in found.values()), f"{path}: no symbols were found"
        newer = above(found, LIMIT)
        if newer:
            parts = [f"{version}: {', '.join(names) or 'no symbol'}" for version, names in sorted(newer.items())]
            text = "; ".join(parts)
            sys.exit(f"{path} does not start on glibc 2.34: {text} (`make image-binary` builds one that does)")
        if extra := sorted(needed - LIBRARIES):
            sys.exit(f"{path} loads libraries that EMR's image may not have: {extra}")
        print(f"{path.name}: glibc {'.'.join(map(str, max(found)))} at most")


if __name__ == "__main__":
    main()
