"""Answers held against botocore's service models: names, types, enums and errors."""

import json

import botocore.session
from botocore import xform_name

# Errors that every AWS service may give, beside those of its model.
# Source: https://docs.aws.amazon.com/glue/latest/dg/CommonErrors.html
COMMON = {
    "AccessDeniedException",
    "ExpiredTokenException",
    "IncompleteSignatureException",
    "InvalidSignatureException",
    "MissingAuthenticationTokenException",
    "RequestEntityTooLargeException",
    "UnknownOperationException",
    "UnrecognizedClientException",
}


def service_model(service):
    return botocore.session.get_session().get_service_model(service)


class Checked:
    """A boto3 client whose every raw answer is checked. `faults` are what did not fit."""

    def __init__(self, client):
        self.client = client
        self.service = client.meta.service_model
        self.faults, self.calls = [], 0
        client.meta.events.register("response-received", self._received)

    def __getattr__(self, name):
        return getattr(self.client, name)

    def refused(self, operation, **arguments):
        """The name of the error that a call ends in; None if it does not."""
        try:
            getattr(self.client, operation)(**arguments)
        except self.client.exceptions.ClientError as error:
            return error.response["Error"]["Code"]
        return None

    def _received(self, response_dict, context, exception, **_):
        if exception is not None or response_dict is None:
            return
        self.calls += 1
        name = context.get("signing", {}).get("operation_name") or context.get("operation_name")
        operation = self._operation(response_dict, context, name)
        self.faults += check(operation, response_dict)

    def _operation(self, _response, context, name):
        if name is None:
            name = context["client_operation"]
        return self.service.operation_model(name)


def watch(client):
    """The client, checked."""
    checked = Checked(client)

    def remember(model, context, **_):
        context["client_operation"] = model.name

    client.meta.events.register("before-call", remember)
    return checked


def check(operation, response):
    """What in a raw answer does not fit the operation's model."""
    status, body = response["status_code"], response["body"]
    if status >= 300:
        return check_error(operation, response)
    shape = operation.output_shape
    text = body.decode() if isinstance(body, bytes) else body
    if shape is None or not shape.members:
        return []
    payload = json.loads(text or "{}")
    in_body = {
        member.serialization.get("name", name): member
        for name, member in shape.members.items()
        if member.serialization.get("location") is None
    }
    required = [name for name in shape.required_members if name in shape.members]
    return [f"{operation.name}: {fault}" for fault in structure("", payload, in_body, required)]


def check_error(operation, response):
    headers = {name.lower(): value for name, value in response["headers"].items()}
    try:
        body = json.loads(response["body"] or b"{}")
    except ValueError:
        return [f"{operation.name}: an error that is no JSON: {response['body'][:200]}"]
    code = headers.get("x-amzn-errortype") or body.get("__type") or ""
    code = code.split("#")[-1].split(":")[0]
    modelled = {shape.name for shape in operation.error_shapes} | COMMON
    faults = []
    if code not in modelled:
        faults.append(f"{operation.name}: {code} is no error of the model: {body}")
    if "x-amzn-requestid" not in headers:
        faults.append(f"{operation.name}: no request id")
    if not (body.get("message") or body.get("Message")):
        faults.append(f"{operation.name}: {code} says nothing")
    return faults


def structure(place, value, members, required):
    if not isinstance(value, dict):
        return [f"{place or 'answer'} is no object"]
    faults = [f"{place}.{name} is missing" for name in required if name not in value]
    for name, part in value.items():
        if name not in members:
            faults.append(f"{place}.{name} is not in the model")
        elif part is not None:
            faults += fits(f"{place}.{name}", part, members[name])
    return faults


def fits(place, value, shape):
    """What in a value does not fit a shape."""
    kind = shape.type_name
    if kind == "structure":
        if getattr(shape, "is_document_type", False):
            return []
        members = {part.serialization.get("name", name): part for name, part in shape.members.items()}
        return structure(place, value, members, shape.required_members)
    if kind == "list":
        if not isinstance(value, list):
            return [f"{place} is no list"]
        return [fault for i, part in enumerate(value) for fault in fits(f"{place}[{i}]", part, shape.member)]
    if kind == "map":
        if not isinstance(value, dict):
            return [f"{place} is no map"]
        return [fault for key, part in value.items() for fault in fits(f"{place}.{key}", part, shape.value)]
    right = {
        "string": lambda: isinstance(value, str),
        "character": lambda: isinstance(value, str),
        "blob": lambda: isinstance(value, str),
        "boolean": lambda: isinstance(value, bool),
        "integer": lambda: isinstance(value, int) and not isinstance(value, bool),
        "long": lambda: isinstance(value, int) and not isinstance(value, bool),
        "float": lambda: isinstance(value, (int, float)) and not isinstance(value, bool),
        "double": lambda: isinstance(value, (int, float)) and not isinstance(value, bool),
        "timestamp": lambda: isinstance(value, (int, float)) and not isinstance(value, bool),
    }[kind]()
    if not right:
        return [f"{place} is no {kind}: {value!r}"]
    enum = shape.metadata.get("enum")
    if enum and value not in enum:
        return [f"{place} is none of its enum: {value!r}"]
    return []


def python_name(operation):
    return xform_name(operation)
