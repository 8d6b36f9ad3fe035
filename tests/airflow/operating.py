"""Operators of Airflow's Amazon provider, as they are, run in this process against `northstar serve`.

An operator gets what the task runner gives it: a context with its task instance, a connection from the
environment. One that defers has its trigger run to its event, and goes on with that.
"""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile
import threading
import time
from contextlib import aclosing, contextmanager
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Callable

REPOSITORY = Path(__file__).parents[2]
sys.path.insert(0, str(REPOSITORY / "airflow"))
# Airflow's own settings go into a folder that is gone when the test ends.
HOME = tempfile.TemporaryDirectory()
os.environ.setdefault("AIRFLOW_HOME", HOME.name)
os.environ["AWS_EC2_METADATA_DISABLED"] = "true"

import place  # noqa: E402
import stack  # noqa: E402
from airflow.sdk.exceptions import TaskDeferred  # noqa: E402

SLOW = "SELECT count(*) FROM generate_series(1, 100000000000) AS t(v) WHERE v % 7 = 8;"


def expect(what: str, got: object, wanted: object) -> None:
    if got != wanted:
        raise AssertionError(f"{what}: {got!r}, not {wanted!r}")


class Instance:
    """What operators ask of a task instance."""

    def __init__(self, task_id: str, try_number: int = 1):
        self.dag_id, self.run_id, self.task_id = "tests", "manual", task_id
        self.map_index, self.try_number = -1, try_number
        self.stats_tags: dict[str, str] = {}
        self.pushed: dict[str, Any] = {}

    def xcom_push(self, key: str, value: Any, **_: Any) -> None:
        self.pushed[key] = value

    def xcom_pull(self, **_: Any) -> None:
        """Airflow 3 clears what a task pushed before it is tried again."""


def finish(operator: Any, *, try_number: int = 1) -> Any:
    """What the operator gives, if need be by its trigger."""
    instance = Instance(operator.task_id, try_number)
    context = {"ti": instance, "task_instance": instance}
    try:
        return operator.execute(context)
    except TaskDeferred as deferred:
        event = asyncio.run(event_of(deferred.trigger))
        return getattr(operator, deferred.method_name)(context, event.payload)


async def event_of(trigger: Any) -> Any:
    async with aclosing(trigger.run()) as events:
        async for event in events:
            return event
    raise AssertionError("the trigger ended without an event")


class Running:
    """An operator in a thread of its own."""

    def __init__(self, operator: Any, **settings: Any):
        self.result: Any = None
        self.error: BaseException | None = None

        def run() -> None:
            try:
                self.result = finish(operator, **settings)
            except BaseException as error:  # noqa: BLE001
                self.error = error

        self.thread = threading.Thread(target=run)
        self.thread.start()

    def end(self) -> "Running":
        self.thread.join()
        return self


def succeeded(what: str, running: Running) -> Any:
    if running.end().error is not None:
        raise AssertionError(f"{what}: failed") from running.error
    return running.result


def failed(what: str, running: Running) -> BaseException:
    if running.end().error is None:
        raise AssertionError(f"{what}: succeeded with {running.result!r}")
    return running.error


def until(what: Callable[[], Any], of: Running | None = None) -> Any:
    """What is asked for, once it is there. Asked again as a client polls, while the operator runs that it is of."""
    while not (got := what()):
        if of is not None and not of.thread.is_alive():
            raise AssertionError(f"the operator ended meanwhile: {of.result!r}") from of.error
        time.sleep(0.05)
    return got


def children(process_id: int) -> list[int]:
    """The processes that a process has started and that are not over."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, parent = path.read_text(encoding="utf-8").rsplit(")", 1)[1].split()[:2]
        except (FileNotFoundError, ProcessLookupError):
            continue
        if int(parent) == process_id and state != "Z":
            found.append(int(path.parent.name))
    return found


def is_over(process_id: int) -> bool:
    try:
        state = Path(f"/proc/{process_id}/stat").read_text(encoding="utf-8").rsplit(")", 1)[1].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return True
    return state == "Z"


@contextmanager
def server(binary: str, **settings: Any):
    """A server with a folder for scripts, and the connection `aws_default` to it."""
    with tempfile.TemporaryDirectory() as folder:
        one = place.Server(Path(binary), Path(folder), **settings)
        one.start()
        os.environ["AIRFLOW_CONN_AWS_DEFAULT"] = stack.connection(one.url)
        one.folder = Path(folder)
        try:
            yield one
        finally:
            if one.process.poll() is None:
                one.stop()


def script(server: place.Server, name: str, text: str) -> str:
    path = server.folder / name
    path.write_text(text, encoding="utf-8")
    return f"file://{path}"


class LosesReplies:
    """A proxy before a server that hangs up instead of giving the first reply to the requests it is told of."""

    def __init__(self, url: str, is_lost: Callable[[str, dict[str, str]], bool]):
        host = url.split("//")[1]
        self.lost = 0
        proxy = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def forward(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                upstream = HTTPConnection(host)
                headers = {name: value for name, value in self.headers.items() if name.lower() != "host"}
                upstream.request(self.command, self.path, body, {**headers, "Host": host})
                answer = upstream.getresponse()
                content = answer.read()
                upstream.close()
                if proxy.lost == 0 and is_lost(f"{self.command} {self.path}", dict(self.headers)):
                    proxy.lost += 1
                    self.close_connection = True
                    return
                self.send_response(answer.status)
                for name, value in answer.getheaders():
                    if name.lower() not in ("content-length", "transfer-encoding", "connection"):
                        self.send_header(name, value)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            do_GET = do_POST = do_DELETE = do_PUT = forward

            def log_message(self, *_: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        self.thread = threading.Thread(target=self.server.serve_forever)

    def __enter__(self) -> "LosesReplies":
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()
