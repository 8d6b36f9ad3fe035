"""A proxy between northstar and an S3 server that does what networks and S3 do on bad days."""

from __future__ import annotations

import http.client
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from urllib.parse import urlsplit

PASS = "pass"
BUSY = "busy"
EXPIRED = "expired"
DENIED = "denied"
CUT = "cut"
LOST = "lost"
UNSENT = "unsent"


@dataclass(frozen=True)
class Request:
    """A request as a rule sees it."""

    method: str
    path: str
    query: str
    access_key: str
    number: int

    @property
    def is_part(self) -> bool:
        """Whether it sends a part of an upload."""
        return self.method == "PUT" and "partNumber=" in self.query

    @property
    def is_complete(self) -> bool:
        """Whether it makes an object of parts."""
        return self.method == "POST" and "uploadId=" in self.query

    @property
    def is_put(self) -> bool:
        """Whether it writes an object with one request."""
        return self.method == "PUT" and not self.query


Rule = Callable[[Request], "str | float"]


@dataclass
class Seen:
    """What went through."""

    requests: list[Request] = field(default_factory=list)
    faults: list[tuple[str, Request]] = field(default_factory=list)


class Proxy:
    """Passes requests on, unless its rule says otherwise.

    A rule gives `PASS`; `BUSY`, a 503 with SlowDown; `EXPIRED`, a 400 with ExpiredToken; `DENIED`, a 403; `LOST`, for
    a request that the server does and whose answer nobody gets; `CUT`, for an answer that breaks off in its middle;
    `UNSENT`, for a connection that breaks before; or seconds by which the answer is late.
    """

    def __init__(self, upstream: str, rule: Rule = lambda _: PASS) -> None:
        self.rule = rule
        self.seen = Seen()
        self._lock = threading.Lock()
        target = urlsplit(upstream)
        proxy = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_: object) -> None:
                pass

            def any(self) -> None:
                proxy.handle(self, target.hostname or "", target.port or 80)

            do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = any  # noqa: N815

        self._late = threading.Event()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever)

    def with_rule(self, rule: Rule) -> Proxy:
        """The same proxy with another rule, and nothing seen yet."""
        with self._lock:
            self.rule, self.seen = rule, Seen()
        return self

    def _decide(self, handler: BaseHTTPRequestHandler) -> str | float:
        target = urlsplit(handler.path)
        signed = handler.headers.get("Authorization", "")
        access_key = signed.partition("Credential=")[2].partition("/")[0]
        with self._lock:
            number = len(self.seen.requests)
            request = Request(handler.command, target.path, target.query, access_key, number)
            self.seen.requests.append(request)
            what = self.rule(request)
            if what != PASS:
                self.seen.faults.append((str(what), request))
            return what

    def handle(self, handler: BaseHTTPRequestHandler, host: str, port: int) -> None:
        """One request."""
        try:
            self._handle(handler, host, port)
        except (BrokenPipeError, ConnectionResetError):
            # The client gave up: on a late answer, or on a part whose sibling failed.
            handler.close_connection = True

    def _handle(self, handler: BaseHTTPRequestHandler, host: str, port: int) -> None:
        body = handler.rfile.read(int(handler.headers.get("Content-Length") or 0))
        what = self._decide(handler)
        if what == BUSY:
            self._refuse(handler, 503, "SlowDown")
        elif what == EXPIRED:
            self._refuse(handler, 400, "ExpiredToken")
        elif what == DENIED:
            self._refuse(handler, 403, "AccessDenied")
        elif what == UNSENT:
            handler.close_connection = True
        else:
            if isinstance(what, float):
                # Nobody sets it: it is a wait that ends with the proxy.
                self._late.wait(what)
            self._pass_on(handler, host, port, body, what)

    def _refuse(self, handler: BaseHTTPRequestHandler, status: int, code: str) -> None:
        text = f"<Error><Code>{code}</Code><Message>{code} by the proxy</Message></Error>".encode()
        if handler.command == "HEAD":
            text = b""
        handler.send_response(status)
        handler.send_header("Content-Type", "application/xml")
        handler.send_header("Content-Length", str(len(text)))
        handler.end_headers()
        handler.wfile.write(text)

    def _pass_on(
        self, handler: BaseHTTPRequestHandler, host: str, port: int, body: bytes, what: str | float
    ) -> None:
        upstream = http.client.HTTPConnection(host, port)
        try:
            upstream.putrequest(handler.command, handler.path, skip_host=True, skip_accept_encoding=True)
            for name, value in handler.headers.items():
                if name.lower() != "connection":
                    upstream.putheader(name, value)
            upstream.endheaders(body)
            answer = upstream.getresponse()
            content = answer.read()
            if what == LOST:
                handler.close_connection = True
                return
            handler.send_response_only(answer.status, answer.reason)
            hop = ("connection", "transfer-encoding", "keep-alive")
            for name, value in answer.getheaders():
                if name.lower() not in hop and (name.lower() != "content-length" or handler.command == "HEAD"):
                    handler.send_header(name, value)
            if handler.command != "HEAD":
                handler.send_header("Content-Length", str(len(content)))
            handler.end_headers()
            if what == CUT:
                content = content[: len(content) // 2]
                handler.close_connection = True
            handler.wfile.write(content)
        finally:
            upstream.close()

    def __enter__(self) -> Proxy:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._late.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
