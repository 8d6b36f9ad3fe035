"""Requests made at random from the service models, whole and malformed, never end the server.

    python fuzz.py PATH_OF_NORTHSTAR [--requests N] [--seed SEED]

Each answer is one of the model's: an output that fits it, or one of its errors, and never a 5xx.
"""

import argparse
import http.client
import json
import random
import sys
import tempfile
from pathlib import Path
from urllib.parse import quote

from glue_catalog import table_input
from model import check, service_model
from server import Server

# What the Data Catalog and Jobs of Glue serve is asked for more often than the rest of the model.
THERE = ["a", "b", "lab"]
NAMES = [*THERE, *THERE, *THERE, "new", "visit", "UPPER", "no-dash", "", "x" * 300, "é", "a.b", "../x", "%2e", "\u0000", "job"]
TEXTS = [*NAMES, *NAMES, "ICEBERG", "metadata_location", "0", "-1", "1", "{", "'", '"', "\U0001f600", "\ud83d", "y" * 5000, "(", ".*", "file:///x"]
NUMBERS = [0, 1, -1, 2, 100, 101, 2**31 - 1, 2**31, -(2**63), 2**64, 1.5, 1e308]


class Maker:
    """Values for the shapes of a model, some of another kind than they should be."""

    def __init__(self, seed):
        self.random = random.Random(seed)

    def some(self, shape, depth=0):
        r = self.random
        if r.random() < 0.04:
            return r.choice([None, 7, "x", [], {}, True, [[]], {"a": {"b": 1}}, 1.5])
        kind = shape.type_name
        if kind == "structure":
            if depth > 5:
                return {}
            members = {}
            for name, member in shape.members.items():
                is_needed = name in shape.required_members
                if r.random() < (0.93 if is_needed else 0.25):
                    key = member.serialization.get("name", name)
                    members[key] = self.some(member, depth + 1)
            if r.random() < 0.03:
                members[r.choice(TEXTS) or "z"] = r.choice(TEXTS)
            return members
        if kind == "list":
            return [self.some(shape.member, depth + 1) for _ in range(r.choice([0, 1, 1, 2, 3]))]
        if kind == "map":
            return {r.choice(TEXTS): self.some(shape.value, depth + 1) for _ in range(r.choice([0, 1, 2]))}
        if kind in ("string", "character", "blob"):
            enum = shape.metadata.get("enum")
            return r.choice(enum) if enum and r.random() < 0.8 else r.choice(TEXTS)
        if kind == "boolean":
            return r.random() < 0.5
        return r.choice(NUMBERS)

    def spoiled(self, body):
        """A body with bytes cut off, doubled, or others in their place."""
        r = self.random
        if r.random() < 0.85 or not body:
            return body
        at = r.randrange(len(body))
        return r.choice(
            [
                body[:at],
                body + body,
                body[:at] + bytes([r.randrange(256)]) + body[at + 1 :],
                b"",
                b"[" * 10_000,
                b'{"Name":' * 1_000,
                b"\xff\xfe",
                b"null",
                b"\xef\xbb\xbf" + body,
            ]
        )


def glue_request(maker, model, served):
    r = maker.random
    name = r.choice(served) if r.random() < 0.9 else r.choice(model.operation_names)
    operation = model.operation_model(name)
    body = json.dumps(maker.some(operation.input_shape)).encode()
    headers = {"X-Amz-Target": f"AWSGlue.{name}", "Content-Type": "application/x-amz-json-1.1"}
    if r.random() < 0.02:
        headers["X-Amz-Target"] = r.choice(["AWSGlue.", "X", "AWSGlue.GetTable.x", "AWSGlue." + "n" * 2_000])
    return operation, "POST", "/", headers, maker.spoiled(body)


def rest_request(maker, model):
    """A request of EMR Serverless."""
    r = maker.random
    operation = model.operation_model(r.choice(model.operation_names))
    given = maker.some(operation.input_shape)
    given = given if isinstance(given, dict) else {}
    path, query, body = operation.http["requestUri"], [], {}
    members = operation.input_shape.members if operation.input_shape else {}
    for name, member in members.items():
        key, place = member.serialization.get("name", name), member.serialization.get("location")
        value = given.pop(key, "a" if place == "uri" else None)
        if place == "uri":
            path = path.replace("{%s}" % key, quote(str(value), safe="", errors="replace"))
        elif place == "querystring" and value is not None:
            query += [f"{quote(key)}={quote(str(part), errors='replace')}" for part in (value if isinstance(value, list) else [value])]
        elif value is not None:
            body[key] = value
    if query:
        path += "?" + "&".join(query)
    headers = {"Content-Type": "application/json"}
    return operation, operation.http["method"], path, headers, maker.spoiled(json.dumps(body).encode())


def iceberg_request(maker):
    """A request of Iceberg REST; its answers have no model here."""
    r = maker.random
    part = lambda: quote(r.choice(NAMES), safe="")  # noqa: E731
    path = r.choice(
        [
            "/v1/config",
            "/v1/namespaces",
            f"/v1/namespaces/{part()}",
            f"/v1/namespaces/{part()}/properties",
            f"/v1/namespaces/{part()}/tables",
            f"/v1/namespaces/{part()}/tables/{part()}",
            f"/v1/namespaces/{part()}/register",
            "/v1/tables/rename",
            "/v1/transactions/commit",
            f"/iceberg/v1/{part()}",
        ]
    )
    values = [[], {}, None, "x", 7, {"namespace": ["a"], "name": "t"}, [{"action": "x"}], [{"type": "assert-create"}]]
    keys = ["namespace", "properties", "name", "schema", "requirements", "updates", "removals", "source", "destination", "table-changes"]
    body = {key: r.choice(values) for key in r.sample(keys, r.randrange(4))}
    method = r.choice(["GET", "POST", "POST", "DELETE", "HEAD", "PUT"])
    return None, method, path, {"Content-Type": "application/json"}, maker.spoiled(json.dumps(body).encode())


def faults_of(operation, method, answer):
    status = answer["status_code"]
    # Glue clients made tables here whose metadata file is nowhere: to load one is an error of the server's.
    if operation is None and status == 500 and b"metadata file cannot be read" in answer["body"]:
        return []
    if status >= 500:
        return [f"{status}: {answer['body'][:300]}"]
    if operation is None or method == "HEAD":
        return []
    try:
        return check(operation, answer)
    except ValueError as error:
        return [f"{operation.name}: no JSON ({error}): {answer['body'][:200]}"]


def prepare(server):
    """What the names are of: databases with tables."""
    glue = server.client("glue")
    for database in THERE:
        glue.create_database(DatabaseInput={"Name": database})
        for table in THERE:
            glue.create_table(DatabaseName=database, TableInput=table_input(table, "metadata_location"))


def fuzz(server, requests, seed, served):
    maker = Maker(seed)
    glue, emr = service_model("glue"), service_model("emr-serverless")
    connection = http.client.HTTPConnection(server.address)
    counts = {}
    for number in range(requests):
        kind = maker.random.random()
        if kind < 0.6:
            operation, method, path, headers, body = glue_request(maker, glue, served)
        elif kind < 0.85:
            operation, method, path, headers, body = rest_request(maker, emr)
        else:
            operation, method, path, headers, body = iceberg_request(maker)
        try:
            connection.request(method, path, body=body, headers=headers)
            got = connection.getresponse()
            answer = {"status_code": got.status, "headers": dict(got.headers.items()), "body": got.read()}
        except (http.client.HTTPException, OSError) as error:
            sys.exit(f"request {number} of seed {seed} ({method} {path[:200]}): {error!r}; up: {server.is_up()}")
        faults = faults_of(operation, method, answer)
        if faults:
            shown = f"{method} {path[:200]} {headers.get('X-Amz-Target', '')} {body[:600]!r}"
            sys.exit(f"request {number} of seed {seed}: {faults[:5]}\n{shown}")
        counts[answer["status_code"]] = counts.get(answer["status_code"], 0) + 1
    connection.close()
    return counts


def served_actions():
    """The actions of the model that have an answer here: those of the server's own list."""
    text = Path(__file__).parents[2].joinpath("catalog/src/glue/actions/service.rs").read_text(encoding="utf-8")
    jobs = Path(__file__).parents[2] / "jobs/src/api/glue_jobs"
    for file in sorted(jobs.glob("*.rs")) if jobs.is_dir() else []:
        text += file.read_text(encoding="utf-8")
    return [name for name in service_model("glue").operation_names if f'"{name}"' in text]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("northstar")
    parser.add_argument("--requests", type=int, default=2_000)
    parser.add_argument("--seed", type=int, default=6)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        with Server(asked.northstar, Path(folder), anonymous=True) as server:
            prepare(server)
            counts = fuzz(server, asked.requests, asked.seed, served_actions())
            if "defect" in server.log():
                sys.exit(f"the server's log tells of a defect: {server.log()[-2000:]}")
    print(f"{sum(counts.values())} requests answered: {dict(sorted(counts.items()))}")
    if counts.get(200, 0) == 0 or counts.get(400, 0) == 0:
        sys.exit("no request was done, or none refused")


if __name__ == "__main__":
    main()
