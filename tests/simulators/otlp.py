"""OpenTelemetry logs as protocol buffers: a request as the object that its JSON form would be."""

VARINT, FIXED64, BYTES = 0, 1, 2


def varint(data, at):
    value = shift = 0
    while True:
        byte = data[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return value, at
        if shift > 63:
            raise ValueError("a varint that is too long")


def fields(data):
    """[(number, wire type, value)] of a message, which must be whole."""
    at, found = 0, []
    while at < len(data):
        key, at = varint(data, at)
        wire = key & 7
        if wire == VARINT:
            value, at = varint(data, at)
        elif wire in (FIXED64, BYTES):
            size = 8
            if wire == BYTES:
                size, at = varint(data, at)
            value, at = data[at : at + size], at + size
            if at > len(data):
                raise ValueError("a field that is not whole")
        else:
            raise ValueError("wire type %d" % wire)
        found.append((key >> 3, wire, value))
    return found


def message(data, **known):
    """An object of a message; KNOWN: name=(number, wire type, reader[, "list"])."""
    names = {row[0]: (name, *row[1:]) for name, row in known.items()}
    found = {}
    for number, wire, value in fields(data):
        if number not in names or names[number][1] != wire:
            raise ValueError("field %d of wire type %d" % (number, wire))
        name, _, read, *many = names[number]
        if many:
            found.setdefault(name, []).append(read(value))
        elif name in found:
            raise ValueError(name + " twice")
        else:
            found[name] = read(value)
    return found


def text(data):
    return data.decode()


def fixed64(data):
    return str(int.from_bytes(data, "little"))


def any_value(data):
    return message(data, stringValue=(1, BYTES, text))


def key_value(data):
    return message(data, key=(1, BYTES, text), value=(2, BYTES, any_value))


def log_record(data):
    return message(
        data,
        timeUnixNano=(1, FIXED64, fixed64),
        observedTimeUnixNano=(11, FIXED64, fixed64),
        body=(5, BYTES, any_value),
        attributes=(6, BYTES, key_value, "list"),
    )


def scope(data):
    return message(data, name=(1, BYTES, text))


def scope_logs(data):
    return message(data, scope=(1, BYTES, scope), logRecords=(2, BYTES, log_record, "list"))


def resource(data):
    return message(data, attributes=(1, BYTES, key_value, "list"))


def resource_logs(data):
    return message(data, resource=(1, BYTES, resource), scopeLogs=(2, BYTES, scope_logs, "list"))


def request(data):
    return message(data, resourceLogs=(1, BYTES, resource_logs, "list"))


def length(number, data):
    """A field of bytes."""
    return bytes([number << 3 | BYTES]) + encode(len(data)) + data


def encode(value):
    """A varint."""
    found = b""
    while value >= 0x80:
        found, value = found + bytes([value & 0x7F | 0x80]), value >> 7
    return found + bytes([value])


def response(answer):
    """The message of a response's JSON form."""
    partial = answer.get("partialSuccess")
    if partial is None:
        return b""
    return length(1, b"\x08" + encode(int(partial["rejectedLogRecords"]))
        + length(2, partial["errorMessage"].encode()))


def status(fault):
    """google.rpc.Status of its JSON form."""
    return b"\x08" + encode(fault["code"]) + length(2, fault["message"].encode())
