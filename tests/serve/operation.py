"""The server as its operators see it: TLS, health, metrics, its log, refusals to start, its end.

    python operation.py PATH_OF_NORTHSTAR
"""

import datetime
import http.client
import ipaddress
import json
import re
import socket
import sqlite3
import ssl
import subprocess
import sys
import tempfile
import urllib.request
from pathlib import Path

from botocore.exceptions import ClientError
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from expect import expect
from server import KEY_ID, SECRET, Server


def certificate(folder):
    """A certificate for 127.0.0.1 that signs itself, and its key, as PEM files."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "northstar")])
    now = datetime.datetime.now(datetime.timezone.utc)
    built = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    chain, secret = Path(folder, "server.pem"), Path(folder, "server.key")
    chain.write_bytes(built.public_bytes(serialization.Encoding.PEM))
    secret.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    return chain, secret


def refusals(binary, folder):
    """What the server does not start with, and what it says instead."""
    chain, secret = certificate(folder)
    plain = Path(folder, "plain.toml")
    plain.write_text('[[key]]\nid = "PLAIN"\nactor = "a"\nsecret = "in-plain-sight-0123456789"\n', encoding="utf-8")
    for what, arguments, code, said in [
        ("neither keys nor anonymous", [], 1, "--anonymous"),
        ("anonymous for all", ["--anonymous", "--listen", "0.0.0.0:0"], 1, "loopback"),
        ("keys without TLS for all", ["--keys", plain, "--listen", "0.0.0.0:0"], 1, "plain sight"),
        ("a secret in plain sight", ["--keys", plain], 1, "plain sight"),
        ("a certificate that is none", ["--anonymous", "--tls-certificate", plain, "--tls-key", secret], 1, "PEM"),
        ("a key that is none", ["--anonymous", "--tls-certificate", chain, "--tls-key", chain], 1, "PEM"),
        ("no such keys", ["--keys", Path(folder, "none.toml")], 1, "none.toml"),
        ("a short account", ["--anonymous", "--account", "12"], 1, "twelve digits"),
    ]:
        command = [str(part) for part in [binary, "--warehouse", Path(folder, "none"), "serve", *arguments]]
        done = subprocess.run(command, text=True, capture_output=True, check=False)
        expect(f"exit code: {what}", done.returncode, code)
        expect(f"what is said: {what} ({done.stderr})", said in done.stderr, True)
        expect(f"a secret is told: {what}", "0123456789" in done.stderr, False)


def over_tls(binary, folder):
    chain, secret = certificate(folder)
    with Server(binary, folder, "--tls-certificate", str(chain), "--tls-key", str(secret)) as server:
        expect("scheme", server.url.startswith("https://127.0.0.1:"), True)
        import boto3

        glue = boto3.client(
            "glue", endpoint_url=server.url, region_name="us-east-1", verify=str(chain),
            aws_access_key_id=KEY_ID, aws_secret_access_key=SECRET,
        )
        glue.create_database(DatabaseInput={"Name": "b"})
        expect("databases over TLS", [d["Name"] for d in glue.get_databases()["DatabaseList"]], ["b"])
        plain = http.client.HTTPConnection(server.address)
        try:
            plain.request("GET", "/healthz")
            expect("without TLS", plain.getresponse().status, None)
        except (http.client.HTTPException, OSError):
            pass
        context = ssl.create_default_context(cafile=str(chain))
        with urllib.request.urlopen(f"{server.url}/healthz", context=context) as answer:
            expect("health", json.load(answer), {"status": "ok"})


def metrics(server):
    with urllib.request.urlopen(f"{server.url}/metrics") as answer:
        kind, text = answer.headers["Content-Type"], answer.read().decode()
    expect("form", kind.split(";")[0], "application/openmetrics-text")
    return text


def watched(binary, folder):
    with Server(binary, folder) as server:
        glue = server.client("glue")
        glue.create_database(DatabaseInput={"Name": "b"})
        for _ in range(3):
            try:
                glue.get_table(DatabaseName="b", Name="none")
            except ClientError:
                pass
        line = 'northstar_requests_total{service="glue",action="GetTable",status="400",error="EntityNotFoundException"} 3'
        expect("a count of errors", line in metrics(server).splitlines(), True)
        # A name that is no action of the server's makes no series of its own.
        connection = http.client.HTTPConnection(server.address)
        connection.request("POST", "/", b"{}", {"X-Amz-Target": "AWSGlue.JaneDoe"})
        connection.getresponse().read()
        expect("a name in the metrics", "JaneDoe" in metrics(server), False)
        long = http.client.HTTPConnection(server.address)
        long.putrequest("POST", "/")
        long.putheader("X-Amz-Target", "AWSGlue.GetTable")
        long.putheader("Content-Length", str(33 << 20))
        long.endheaders()
        try:
            for _ in range(33):
                long.send(b" " * (1 << 20))
            expect("a body too long", long.getresponse().status, 413)
        except OSError:
            pass
        expect("up", server.is_up(), True)
        expect("health", urllib.request.urlopen(f"{server.url}/healthz").status, 200)
        the_log(server, glue)


def the_log(server, glue):
    """A request that cannot be recorded is answered with an error; afterwards all goes on."""
    log = server.warehouse / "requests.jsonl"
    lines = [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()]
    expect("ids", all(re.fullmatch(r"[0-9a-f-]{36}", line["request_id"]) for line in lines), True)
    expect("mode", log.stat().st_mode & 0o777, 0o600)
    log.unlink()
    log.mkdir()
    try:
        glue.get_databases()
        expect("a request that was not recorded", "answered", "refused")
    except ClientError as error:
        expect("refused", error.response["Error"]["Code"], "InternalServiceException")
    log.rmdir()
    expect("after that", len(glue.get_databases()["DatabaseList"]), 1)
    expect("in a new file", len(log.read_text(encoding="utf-8").splitlines()), 1)


def hung_up(binary, folder):
    """A client that does not wait for its answer is in the log all the same."""
    with Server(binary, folder, anonymous=True) as server:
        catalog = sqlite3.connect(server.warehouse / "catalog.db", isolation_level=None)
        catalog.execute("BEGIN IMMEDIATE")
        body = b'{"DatabaseInput": {"Name": "b"}}'
        client = socket.create_connection(("127.0.0.1", int(server.address.split(":")[1])))
        head = f"POST / HTTP/1.1\r\nHost: {server.address}\r\nX-Amz-Target: AWSGlue.CreateDatabase\r\n"
        client.sendall(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
        while "northstar_requests_under_way 2" not in metrics(server):
            continue
        client.close()
        log = server.warehouse / "requests.jsonl"
        while not log.exists() or not log.read_text(encoding="utf-8"):
            continue
        line = json.loads(log.read_text(encoding="utf-8").splitlines()[0])
        expect("its line", (line["action"], line["status"]), ("CreateDatabase", 499))
        catalog.execute("ROLLBACK")
        catalog.close()


def main():
    binary = sys.argv[1]
    with tempfile.TemporaryDirectory() as folder:
        for name, test in [("refusals", refusals), ("tls", over_tls), ("watched", watched), ("gone", hung_up)]:
            place = Path(folder, name)
            place.mkdir()
            test(binary, place)
    print("the server starts, tells, refuses and ends as it should")


if __name__ == "__main__":
    main()
