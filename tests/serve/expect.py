"""Checks that end a test with what was found and what was wanted."""

import sys


def expect(what, found, wanted):
    if found != wanted:
        sys.exit(f"{what}: found {found!r}, expected {wanted!r}")


def fits_model(*clients):
    """Ends the test if an answer of one of the checked clients did not fit its model."""
    for client in clients:
        if client.faults:
            sys.exit("answers that do not fit the model:\n" + "\n".join(client.faults[:20]))
        if client.calls == 0:
            sys.exit("no answer was checked")
