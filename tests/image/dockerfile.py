"""The Dockerfile by the rules of EMR's image validator and by our own, since not every machine has Docker.

Run as `python tests/image/dockerfile.py`. Source of the first: awslabs/amazon-emr-serverless-image-cli, which
wants user, working folder, entry point, environment and jars of the base image to stay.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "serve"))
from expect import expect  # noqa: E402

ROOT = Path(__file__).parents[2]
CONTEXT = ROOT / "jobs" / "emr"
ARCHITECTURES = ("amd64", "arm64")
SCRIPTS = ("/opt/northstar/launcher.py", "/opt/northstar/fanout.py")
PLACES = {"/opt/northstar/bin/northstar": "755", **dict.fromkeys(SCRIPTS, "644")}
# EMR mounts over these.
MOUNTED = ("/tmp", "/home/hadoop", "/mnt", "/var/log")
FETCHES = ("curl", "wget", "yum", "dnf", "microdnf", "pip", "pip3", "apt-get", "rpm")
HOST = re.compile(r"://|\b(?:[a-z0-9-]+\.)+(?:aws|com|dev|io|net|org)\b")

Instruction = tuple[str, str]


def instructions(text: str) -> list[Instruction]:
    """The instructions of a Dockerfile, without comments, each in one line."""
    lines = [line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    joined = "\n".join(lines).replace("\\\n", " ").splitlines()
    return [(word.upper(), rest.strip()) for word, _, rest in (line.strip().partition(" ") for line in joined)]


def copies(found: list[Instruction]) -> list[tuple[dict[str, str], list[str], str]]:
    """Options, sources and place of each COPY."""
    result = []
    for word, rest in found:
        if word == "COPY":
            words = rest.split()
            options = dict(option[2:].partition("=")[::2] for option in words if option.startswith("--"))
            *sources, place = [one for one in words if not one.startswith("--")]
            result.append((options, sources, place))
    return result


def faults(text: str) -> list[str]:
    """What is wrong with a Dockerfile."""
    found, wrong = instructions(text), []
    words = [word for word, _ in found]
    if extra := sorted(set(words) - {"ARG", "FROM", "USER", "COPY", "RUN"}):
        wrong.append(f"changes what is EMR's, or is not needed: {extra}")
    if [rest for word, rest in found if word == "FROM"] != ["${BASE_IMAGE}"]:
        wrong.append("is not made from BASE_IMAGE alone")
    if found[:1] != [("ARG", "BASE_IMAGE")]:
        wrong.append("BASE_IMAGE has a default, or is no argument")
    if found[-1:] != [("USER", "hadoop:hadoop")]:
        wrong.append("does not end with USER hadoop:hadoop")
    if HOST.search(text):
        wrong.append("names a host")
    placed = {}
    for options, sources, place in copies(found):
        placed[place] = options.get("chmod", "").lstrip("0")
        if options.get("chown") != "root:root" or "from" in options or len(sources) != 1:
            wrong.append(f"{place} is not root's, or not from the build's folder")
    if placed != PLACES:
        wrong.append(f"puts other files, or with other modes: {placed}")
    for word, rest in found:
        if word in ("COPY", "RUN") and any(re.search(rf"(?<![\w/]){place}\b", rest) for place in MOUNTED):
            wrong.append(f"uses a folder that is mounted over: {rest}")
        if word == "RUN" and set(re.findall(r"[\w-]+", rest)) & set(FETCHES):
            wrong.append(f"fetches at build time: {rest}")
    return wrong


def sources_are_there(text: str) -> None:
    """Each source is in the build's folder, and not ignored, or `make image-binary` makes it, for each platform."""
    ignored = (CONTEXT / ".dockerignore").read_text(encoding="utf-8").split()
    expect("first of .dockerignore", ignored[0], "*")
    made = subprocess.run(
        ["make", "--dry-run", "--no-print-directory", "image-binary", f"IMAGE_ARCHITECTURES={' '.join(ARCHITECTURES)}"],
        cwd=ROOT, text=True, capture_output=True, check=True,
    ).stdout
    for architecture in ARCHITECTURES:
        for _, [source], _ in copies(instructions(text)):
            path = source.replace("${TARGETARCH}", architecture)
            assert f"!{path.split('/')[0]}" in ignored, f"{path} is ignored by .dockerignore"
            if "${TARGETARCH}" in source:
                assert f"jobs/emr/{path}" in made, f"`make image-binary` does not make jobs/emr/{path}"
            else:
                assert (CONTEXT / path).is_file(), f"jobs/emr/{path} is not there"


def faults_are_found(text: str) -> None:
    """Each rule is broken once, and that is found."""
    for old, new in (
        ("USER hadoop:hadoop", "USER root"),
        ("USER hadoop:hadoop", "USER hadoop:hadoop\nWORKDIR /opt"),
        ("USER hadoop:hadoop", 'ENTRYPOINT ["sh"]\nUSER hadoop:hadoop'),
        ("ARG BASE_IMAGE", "ARG BASE_IMAGE=example/spark"),
        ("FROM ${BASE_IMAGE}", "FROM example/spark"),
        ("FROM ${BASE_IMAGE}", "FROM ${BASE_IMAGE}\n# registry.example.com/spark"),
        ("FROM ${BASE_IMAGE}", "FROM ${BASE_IMAGE}\nENV JAVA_HOME=/opt/java"),
        ("/opt/northstar/launcher.py", f"{MOUNTED[1]}/launcher.py"),
        ("--chmod=0644", "--chmod=0666"),
        ("--chown=root:root --chmod=0755", "--chmod=0755"),
        ("USER hadoop:hadoop", "RUN yum install -y less\nUSER hadoop:hadoop"),
        ("USER hadoop:hadoop", "RUN cp -r /opt/northstar \\\n  /mnt/northstar\nUSER hadoop:hadoop"),
    ):
        assert old in text, f"{old!r} is not in the Dockerfile"
        assert faults(text.replace(old, new)), f"nothing was found with {new!r}"


def main() -> None:
    text = (CONTEXT / "Dockerfile").read_text(encoding="utf-8")
    expect("faults of the Dockerfile", faults(text), [])
    faults_are_found(text)
    sources_are_there(text)


if __name__ == "__main__":
    main()
