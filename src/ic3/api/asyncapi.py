"""The document of the live protocols, made of the structs that encode and decode their frames."""

from typing import Any, Final, get_args

import msgspec
from litestar import Response

from ic3 import __version__
from ic3.hub.frames import Asked, Told

Document = dict[str, Any]

WIRE_ENVELOPE: Final[Document] = {
    "description": "A changed envelope as the source wrote it; further members may follow.",
    "type": "object",
    "required": ["record_id", "asset_id", "values"],
    "properties": {
        "record_id": {"type": "string"},
        "system_id": {"type": ["string", "null"]},
        "asset_id": {"type": "string", "description": "Serial number."},
        "domain": {"type": ["string", "null"]},
        "protocol": {"type": ["string", "null"]},
        "occurred_at": {"type": "string", "description": "RFC 3339, up to nanoseconds."},
        "values": {
            "type": "object",
            "additionalProperties": {"type": ["number", "string", "boolean", "null"]},
        },
        "quality": {"type": ["string", "null"]},
        "alarm": {"type": ["string", "null"]},
    },
}


def document() -> Document:
    """AsyncAPI 3.0 of `/ws/v1`, `/api/stream` and `/ws`."""
    told, asked = get_args(Told), get_args(Asked)
    _, schemas = msgspec.json.schema_components(
        [*told, *asked], ref_template="#/components/schemas/{name}"
    )
    schemas["Envelope"] = WIRE_ENVELOPE
    messages = {_name(kind): _message(kind) for kind in (*told, *asked)}
    messages["envelope"] = {
        "summary": "A changed envelope, once it is durable.",
        "payload": _ref("schemas", "Envelope"),
    }
    names = [_name(kind) for kind in told]
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "IC³ live", "version": __version__,
            "description": "A message of `/ws/v1` is a JSON text frame of at most 2 MiB; the"
            " server takes 4 KiB and 20 messages a second. It closes with 1001 at its stop, 1008"
            " for what it does not understand or when the login ends, 1009 for what is too large,"
            " 1013 for a client that takes nothing.",
        },
        "defaultContentType": "application/json",
        "channels": {
            "numbered": _channel("/ws/v1", [*names, *(_name(kind) for kind in asked)]),
            "stream": _channel("/api/stream", names),
            "envelopes": _channel("/ws", ["envelope"]),
        },
        "operations": {
            "tellNumbered": _operation("send", "numbered", names),
            "takeNumbered": _operation("receive", "numbered", [_name(kind) for kind in asked]),
            "tellStream": _operation("send", "stream", names),
            "tellEnvelopes": _operation("send", "envelopes", ["envelope"]),
        },
        "components": {"messages": messages, "schemas": schemas},
    }  # fmt: skip


def text() -> bytes:
    """The document as indented JSON."""
    return msgspec.json.format(msgspec.json.encode(document()), indent=1) + b"\n"


async def asyncapi() -> Response[Any]:
    """The frames of `/ws/v1`, `/api/stream` and `/ws`."""
    return Response(text(), media_type="application/json")


def _name(kind: type[msgspec.Struct]) -> str:
    return str(kind.__struct_config__.tag)


def _message(kind: type[msgspec.Struct]) -> Document:
    summary = (kind.__doc__ or "").partition("\n")[0]
    return {"name": _name(kind), "summary": summary, "payload": _ref("schemas", kind.__name__)}


def _channel(address: str, names: list[str]) -> Document:
    messages = {name: _ref("messages", name) for name in names}
    return {"address": address, "messages": messages}


def _operation(action: str, channel: str, names: list[str]) -> Document:
    messages = [{"$ref": f"#/channels/{channel}/messages/{name}"} for name in names]
    return {
        "action": action, "channel": {"$ref": f"#/channels/{channel}"}, "messages": messages,
    }  # fmt: skip


def _ref(kind: str, name: str) -> Document:
    return {"$ref": f"#/components/{kind}/{name}"}
