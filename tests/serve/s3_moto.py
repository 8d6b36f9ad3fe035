"""moto's server on a free port, whose bucket policies also look at the encryption that a request asks for.

moto takes a condition that it does not know for one that holds: a policy that denies what is not encrypted would
deny everything.
"""

from __future__ import annotations

import json

from flask import request
from moto.iam.access_control import IAMPolicy, PermissionResult
from moto.s3 import models
from moto.server import main

HEADERS = ("x-amz-server-side-encryption", "x-amz-server-side-encryption-aws-kms-key-id")


def holds(condition: dict) -> bool:
    """Whether a condition holds for the present request."""
    for operation, keys in condition.items():
        for key, wanted in keys.items():
            header = key.removeprefix("s3:")
            if header not in HEADERS or operation not in ("StringNotEquals", "Null"):
                raise NotImplementedError(f"{operation} {key}")
            asked = request.headers.get(header)
            is_true = (asked is None) == (wanted == "true") if operation == "Null" else asked != wanted
            if not is_true:
                return False
    return True


def get_permission(bucket: models.FakeBucket, action: str, resource: str) -> PermissionResult:
    """What the policy says of a request, as S3 would."""
    if bucket.policy is None:
        return PermissionResult.NEUTRAL
    policy = json.loads(bucket.policy)
    # Parts are encrypted as their upload was begun.
    is_part = "uploadId" in request.args
    statements = [
        {name: value for name, value in statement.items() if name != "Condition"}
        for statement in policy["Statement"]
        if "Condition" not in statement or (not is_part and holds(statement["Condition"]))
    ]
    if not statements:
        return PermissionResult.NEUTRAL
    return IAMPolicy(json.dumps({**policy, "Statement": statements})).is_action_permitted(action, resource)


if __name__ == "__main__":
    models.FakeBucket.get_permission = get_permission
    main(["-H", "127.0.0.1", "-p", "0"])
