"""A small Iceberg REST catalog in front of PyIceberg's SQL catalog, for DuckDB to write through.

    python rest_front.py --warehouse DIR [--data NAME] [--existing]

Creates the table unless it exists, prints its URL as the first line, and serves until it is stopped. Only what
DuckDB asks for is answered: configuration, namespaces, tables, loading and committing.
"""

import argparse
import json
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote, urlsplit

import peer_tables
from pydantic import TypeAdapter
from pyiceberg.exceptions import CommitFailedException, NoSuchTableError
from pyiceberg.table import TableRequirement, TableUpdate

ENDPOINTS = [
    "GET /v1/{prefix}/namespaces",
    "GET /v1/{prefix}/namespaces/{namespace}",
    "HEAD /v1/{prefix}/namespaces/{namespace}",
    "GET /v1/{prefix}/namespaces/{namespace}/tables",
    "GET /v1/{prefix}/namespaces/{namespace}/tables/{table}",
    "HEAD /v1/{prefix}/namespaces/{namespace}/tables/{table}",
    "POST /v1/{prefix}/namespaces/{namespace}/tables/{table}",
    "POST /v1/{prefix}/transactions/commit",
]
REQUIREMENTS = TypeAdapter(tuple[TableRequirement, ...])
UPDATES = TypeAdapter(tuple[TableUpdate, ...])


class Front(BaseHTTPRequestHandler):
    """Answers one connection; the catalog is shared and only one writer runs."""

    catalog = None
    protocol_version = "HTTP/1.1"

    def parts(self):
        """The path without its version: `["namespaces", "bronze", "tables", …]`."""
        return [unquote(part) for part in urlsplit(self.path).path.strip("/").split("/")][1:]

    def answer(self, status, body=None):
        """Sends a JSON answer; HEAD requests get its headers alone."""
        text = b"" if body is None else json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(text)

    def refuse(self, status, kind, message):
        self.answer(status, {"error": {"message": message, "type": kind, "code": status}})

    def describe(self, identifier):
        """A table as the protocol's `LoadTableResult`."""
        table = self.catalog.load_table(identifier)
        metadata = json.loads(table.metadata.model_dump_json(exclude_none=True))
        return {
            "metadata-location": table.metadata_location,
            "metadata": metadata,
            "config": {},
        }

    def commit(self, identifier, change):
        self.catalog.commit_table(
            self.catalog.load_table(identifier),
            REQUIREMENTS.validate_python(change["requirements"]),
            UPDATES.validate_python(change["updates"]),
        )

    def do_GET(self):
        match self.parts():
            case ["config"]:
                self.answer(200, {"defaults": {}, "overrides": {}, "endpoints": ENDPOINTS})
            case ["namespaces"]:
                self.answer(200, {"namespaces": [list(n) for n in self.catalog.list_namespaces()]})
            case ["namespaces", namespace]:
                self.answer(200, {"namespace": [namespace], "properties": {}})
            case ["namespaces", namespace, "tables"]:
                tables = self.catalog.list_tables(namespace)
                names = [{"namespace": [namespace], "name": name} for _, name in tables]
                self.answer(200, {"identifiers": names})
            case ["namespaces", namespace, "tables", name]:
                try:
                    self.answer(200, self.describe((namespace, name)))
                except NoSuchTableError as error:
                    self.refuse(404, "NoSuchTableException", str(error))
            case _:
                self.refuse(404, "NotFoundException", self.path)

    do_HEAD = do_GET

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers.get("Content-Length", 0))) or b"{}")
        try:
            match self.parts():
                case ["namespaces", namespace, "tables", name]:
                    self.commit((namespace, name), body)
                    self.answer(200, self.describe((namespace, name)))
                case ["transactions", "commit"]:
                    for change in body["table-changes"]:
                        target = change["identifier"]
                        self.commit((*target["namespace"], target["name"]), change)
                    self.answer(204)
                case _:
                    self.refuse(404, "NotFoundException", self.path)
        except CommitFailedException as error:
            self.refuse(409, "CommitFailedException", str(error))

    def log_message(self, *_):
        pass


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--warehouse", required=True)
    parser.add_argument("--data", default="lab")
    parser.add_argument("--existing", action="store_true")
    arguments = parser.parse_args()
    Front.catalog = peer_tables.open_catalog(arguments.warehouse)
    if not arguments.existing:
        peer_tables.named(arguments.data).create(Front.catalog)
    server = ThreadingHTTPServer(("127.0.0.1", 0), Front)
    print(f"http://127.0.0.1:{server.server_port}", flush=True)
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        sys.exit(0)


if __name__ == "__main__":
    main()
