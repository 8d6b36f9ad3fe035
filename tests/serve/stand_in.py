"""Runs a server that stands for AWS in tests: `stand_in.py moto | moto_strict | ministack`.

It listens on a free port of 127.0.0.1, prints its URL on one line, and ends when its standard input does,
which is when the process that started it is gone, however that ended.
"""

from __future__ import annotations

import asyncio
import os
import socket
import sys


def moto(strict: bool) -> None:
    # A test has a region of its own, so that it has a catalog of its own.
    os.environ["MOTO_ALLOW_NONEXISTENT_REGION"] = "true"
    from moto.moto_server.threaded_moto_server import ThreadedMotoServer

    if strict:
        import moto_strict

        moto_strict.apply()
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    _, port = server.get_host_and_port()
    print(f"http://127.0.0.1:{port}", flush=True)
    sys.stdin.read()


async def ministack() -> None:
    # These would listen on fixed ports.
    os.environ.update({"IOT_MTLS_ENABLED": "0", "SFTP_ENABLED": "0"})
    from hypercorn.asyncio import serve
    from hypercorn.config import Config
    from ministack.app import app

    listener = socket.create_server(("127.0.0.1", 0))
    config = Config()
    config.bind = [f"fd://{listener.fileno()}"]
    config.loglevel = "ERROR"
    print(f"http://127.0.0.1:{listener.getsockname()[1]}", flush=True)

    async def end() -> None:
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)

    await serve(app, config, shutdown_trigger=end)


def main() -> None:
    kind = sys.argv[1]
    if kind == "ministack":
        asyncio.run(ministack())
    else:
        moto(strict={"moto": False, "moto_strict": True}[kind])


if __name__ == "__main__":
    main()
