"""Requests that are unsigned, wrongly signed, altered, out of time or out of scope, and equal ones.

    python signatures.py PATH_OF_NORTHSTAR
"""

import datetime
import http.client
import json
import sys
import tempfile
import unittest.mock
from pathlib import Path

import botocore.auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from expect import expect
from server import KEY_ID, REGION, SECRET, Server

BODY = b'{"Name": "bronze"}'


class Signed:
    """A request to Glue, signed as botocore signs; to be altered before it is sent."""

    def __init__(self, server, *, key=KEY_ID, secret=SECRET, token=None, region=REGION, service="glue", ago_s=0, path="/"):
        self.server, self.path, self.body, self.method = server, path, BODY, "POST"
        request = AWSRequest("POST", server.url + path, data=BODY)
        request.headers["Content-Type"] = "application/x-amz-json-1.1"
        request.headers["X-Amz-Target"] = "AWSGlue.GetDatabase"
        request.headers["X-Amz-Extra"] = "of  the   client"
        now = datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(seconds=ago_s)
        with unittest.mock.patch("botocore.auth.get_current_datetime", lambda *_: now.replace(tzinfo=None)):
            botocore.auth.SigV4Auth(Credentials(key, secret, token), service, region).add_auth(request)
        self.headers = dict(request.headers.items())

    def send(self):
        connection = http.client.HTTPConnection(self.server.address)
        connection.request(self.method, self.path, body=self.body, headers=self.headers)
        answer = connection.getresponse()
        body = json.loads(answer.read())
        connection.close()
        return answer.status, body.get("__type") or answer.headers.get("x-amzn-errortype"), body

    def authorization(self, old, new):
        text = self.headers["Authorization"]
        assert old in text, text
        self.headers["Authorization"] = text.replace(old, new)
        return self


MISSING = (403, "MissingAuthenticationTokenException")
INCOMPLETE = (403, "IncompleteSignatureException")
INVALID = (403, "InvalidSignatureException")
UNKNOWN = (403, "UnrecognizedClientException")


def altered(server, alter, **how):
    request = Signed(server, **how)
    alter(request)
    return request.send()[:2]


def drop(name):
    return lambda request: request.headers.pop(name)


def put(name, value):
    return lambda request: request.headers.update({name: value})


def attribute(name, value):
    return lambda request: setattr(request, name, value)


def signature(request):
    return request.headers["Authorization"].rsplit("=", 1)[1]


def keep(_):
    pass


CASES = [
    ("unsigned", drop("Authorization"), {}, MISSING),
    ("another scheme", put("Authorization", "Basic eDp5"), {}, INCOMPLETE),
    ("no signature", lambda r: r.authorization("Signature=" + signature(r), "Signature="), {}, INCOMPLETE),
    ("no credential", lambda r: r.authorization("Credential=", "Credentials="), {}, INCOMPLETE),
    ("a credential without its end", lambda r: r.authorization("/aws4_request", ""), {}, INCOMPLETE),
    ("no date", drop("X-Amz-Date"), {}, INCOMPLETE),
    ("a date of another form", put("X-Amz-Date", "2026-01-01T00:00:00Z"), {}, INCOMPLETE),
    ("an unknown key", keep, {"key": "NORTHSTARNOBODY"}, UNKNOWN),
    ("a token of nobody", keep, {"token": "temporary"}, UNKNOWN),
    ("another secret", keep, {"secret": SECRET + "x"}, INVALID),
    ("another signature", lambda r: r.authorization(signature(r), "0" * 64), {}, INVALID),
    ("a short signature", lambda r: r.authorization(signature(r), "00"), {}, INVALID),
    ("another body", attribute("body", BODY + b" "), {}, INVALID),
    ("no body", attribute("body", b""), {}, INVALID),
    ("another action", put("X-Amz-Target", "AWSGlue.DeleteDatabase"), {}, INVALID),
    ("another header", put("X-Amz-Extra", "of another"), {}, INVALID),
    ("a header more", put("X-Amz-More", "x"), {}, INVALID),
    ("a header less", drop("X-Amz-Extra"), {}, INVALID),
    ("another host", put("Host", "glue.example.org"), {}, INVALID),
    ("a query", attribute("path", "/?Name=x"), {}, INVALID),
    ("another method", attribute("method", "PUT"), {}, (404, "UnknownOperationException")),
    ("a path that means the same", attribute("path", "/./"), {}, (404, "UnknownOperationException")),
    ("another date", put("X-Amz-Date", "20200101T000000Z"), {}, INVALID),
    ("16 minutes ago", keep, {"ago_s": 16 * 60}, INVALID),
    ("in 16 minutes", keep, {"ago_s": -16 * 60}, INVALID),
    ("another region", keep, {"region": "eu-west-1"}, INVALID),
    ("another service", keep, {"service": "s3"}, INVALID),
    ("a hash of another body", put("X-Amz-Content-Sha256", "0" * 64), {}, INVALID),
]

GOOD = [("now", {}), ("14 minutes ago", {"ago_s": 14 * 60}), ("in 14 minutes", {"ago_s": -14 * 60})]


def over_emr(server):
    """The same errors in REST-JSON, for another service."""
    request = Signed(server, path="/applications", service="emr-serverless")
    request.headers.pop("Authorization")
    expect("unsigned, over REST", request.send()[:2], MISSING)


def anonymous(binary, folder):
    with Server(binary, folder, anonymous=True) as server:
        request = Signed(server, secret="whatever-it-may-be")
        expect("without keys a signature is not looked at", request.send()[1], "EntityNotFoundException")
        request.headers["Origin"] = "http://example.org"
        expect("a web page", request.send()[:2], (403, "AccessDeniedException"))
        request = Signed(server)
        request.headers["Host"] = "northstar.example.org"
        expect("a name for this machine", request.send()[:2], (403, "AccessDeniedException"))


def main():
    with tempfile.TemporaryDirectory() as folder:
        with Server(sys.argv[1], Path(folder, "keys")) as server:
            server.client("glue").create_database(DatabaseInput={"Name": "bronze"})
            for name, how in GOOD:
                request = Signed(server, **how)
                for again in ("", ", again"):
                    status, _, body = request.send()
                    expect(f"signed {name}{again}", (status, body.get("Database", {}).get("Name")), (200, "bronze"))
            for name, alter, how, wanted in CASES:
                expect(name, altered(server, alter, **how), wanted)
            over_emr(server)
            told = (server.warehouse / "requests.jsonl").read_text(encoding="utf-8")
            expect("a secret in the log", SECRET in told or SECRET in server.log(), False)
        anonymous(sys.argv[1], Path(folder, "anonymous"))
    print(f"{len(CASES)} requests refused, {2 * len(GOOD)} accepted")


if __name__ == "__main__":
    main()
