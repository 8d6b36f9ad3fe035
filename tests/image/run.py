"""Image, templates and the program as EMR Serverless takes them; run by `make test`.

Needs NORTHSTAR_BIN, the path of the northstar program. Programs that `make image-binary` has made are looked at, too.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

HERE = Path(__file__).parent
EMR = HERE.parents[1] / "jobs" / "emr"
sys.path.insert(0, str(HERE.parent))
from steps import in_lanes  # noqa: E402


def main() -> None:
    binary = os.environ.get("NORTHSTAR_BIN")
    if not binary or not Path(binary).exists():
        sys.exit("image tests need NORTHSTAR_BIN, the path of the northstar program: run `make test`")
    python = sys.executable
    regions = ["us-east-1", "eu-west-2", "us-gov-west-1"]
    lint = [Path(python).with_name("cfn-lint"), "--include-checks", "I", "--regions", *regions, "--"]
    lanes = [
        [
            ("cfn-lint", [*lint, EMR / "storage.yaml", EMR / "northstar.yaml"]),
            ("policies of the templates", [python, HERE / "policies.py"]),
            ("the Dockerfile", [python, HERE / "dockerfile.py"]),
            ("the oldest glibc", [python, HERE / "glibc.py", binary, *sorted(EMR.glob("bin/*/northstar"))]),
        ],
        [("buckets of the template, by northstar doctor", [python, HERE / "buckets.py", binary])],
    ]
    passed = in_lanes("image", lanes, lambda line: "glibc" in line, goes_on=True)
    failed = sum(map(len, lanes)) - passed
    print(f"image: {passed} passed; {failed} failed; 0 ignored")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
