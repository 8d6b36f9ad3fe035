"""Checks of a server that may depart from AWS: where it is known to, the departure is what is checked."""

import subprocess
import sys
import types
from pathlib import Path

from expect import expect


class Checks:
    """Checks over one server, which may depart from AWS where it is known to."""

    def __init__(self, server, client, departures):
        self.server, self.client = server, client
        self.departures = dict(departures)

    def expect(self, name, found, wanted):
        if name in self.departures:
            departed = self.departures.pop(name)
            if found == wanted:
                sys.exit(f"{self.server} does as AWS does by now: {name}")
            wanted = departed
        expect(f"{self.server}: {name}", found, wanted)

    def is_there(self, name):
        """Whether a server has what a check needs."""
        return self.departures.get(name) != "not there" or self.departures.pop(name) is None

    def refused(self, name, code, operation, /, **arguments):
        self.expect(name, self.client.refused(operation, **arguments), code)

    def end(self):
        """All departures that are named were come to."""
        expect(f"{self.server}: departures that no check came to", list(self.departures), [])


def stand_in(kind):
    """A server that stands for AWS, and the process that it runs in."""
    command = [sys.executable, Path(__file__).with_name("stand_in.py"), kind]
    process = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    return process, types.SimpleNamespace(url=process.stdout.readline().strip())
