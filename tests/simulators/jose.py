"""JSON Web Signatures as a server checks them, written from RFC 7515, 7518 and 8017 with nothing
but whole numbers: what trawld signs with OpenSSL is verified by other code.

The public keys are those of RFC 7515, appendices A.2 and A.3; tests/keys has the private ones.
"""

import base64
import hashlib
import hmac
import json

RSA_N = int.from_bytes(
    base64.urlsafe_b64decode(
        "ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4Ql"
        "L-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUs"
        "LA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoud"
        "F8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ=="
    ),
    "big",
)
RSA_E = 65537
EC_Q = (
    int.from_bytes(base64.urlsafe_b64decode("f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU="), "big"),
    int.from_bytes(base64.urlsafe_b64decode("x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0="), "big"),
)

# P-256 (FIPS 186-4, D.1.2.3)
P = 2**256 - 2**224 + 2**192 + 2**96 - 1
N = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
G = (
    0x6B17D1F2E12C4247F8BCE6E563A440F277037D812DEB33A0F4A13945D898C296,
    0x4FE342E2FE1A7F9B8EE7EB4A7C0F9E162BCE33576B315ECECBB6406837BF51F5,
)


def add(a, b):
    if a is None or b is None:
        return b if a is None else a
    if a[0] == b[0]:
        if (a[1] + b[1]) % P == 0:
            return None
        slope = (3 * a[0] * a[0] - 3) * pow(2 * a[1], -1, P)
    else:
        slope = (b[1] - a[1]) * pow(b[0] - a[0], -1, P)
    x = (slope * slope - a[0] - b[0]) % P
    return x, (slope * (a[0] - x) - a[1]) % P


def times(k, point):
    found = None
    for bit in bin(k)[2:]:
        found = add(found, found)
        if bit == "1":
            found = add(found, point)
    return found


def es256(data, signature):
    r, s = (int.from_bytes(part, "big") for part in (signature[:32], signature[32:]))
    if len(signature) != 64 or not (0 < r < N and 0 < s < N):
        return False
    e, w = int.from_bytes(hashlib.sha256(data).digest(), "big"), pow(s, -1, N)
    point = add(times(e * w % N, G), times(r * w % N, EC_Q))
    return point is not None and point[0] % N == r


def opened(signature):
    """The block that an RSA signature holds."""
    number = int.from_bytes(signature, "big")
    if len(signature) != 256 or number >= RSA_N:
        return b""
    return pow(number, RSA_E, RSA_N).to_bytes(256, "big")


def rs(prefix, hashed, signature):
    """RFC 8017 section 8.2.2, with a prefix of section 9.2."""
    tail = b"\0" + bytes.fromhex(prefix) + hashed
    return opened(signature) == b"\0\1" + b"\xff" * (256 - 2 - len(tail)) + tail


def rs256(data, signature):
    prefix = "3031300d060960864801650304020105000420"
    return rs(prefix, hashlib.sha256(data).digest(), signature)


def rs512(data, signature):
    prefix = "3051300d060960864801650304020305000440"
    return rs(prefix, hashlib.sha512(data).digest(), signature)


def mask(seed, size):
    blocks = (hashlib.sha256(seed + n.to_bytes(4, "big")).digest() for n in range(-(-size // 32)))
    return b"".join(blocks)[:size]


def ps256(data, signature):
    """RFC 8017 section 9.1.2, with a salt of 32 bytes."""
    block = opened(signature)
    if block[-1:] != b"\xbc" or block[0] & 0x80:
        return False
    masked, h = block[:223], block[223:255]
    db = bytes(a ^ b for a, b in zip(masked, mask(h, 223)))
    db = bytes([db[0] & 0x7F]) + db[1:]
    if db[:191] != b"\0" * 190 + b"\1":
        return False
    return hashlib.sha256(b"\0" * 8 + hashlib.sha256(data).digest() + db[191:]).digest() == h


def decode(text):
    if "=" in text or "+" in text or "/" in text:
        raise ValueError("not base64url")
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def once(pairs):
    if len({name for name, _ in pairs}) != len(pairs):
        raise ValueError("a member twice")
    return dict(pairs)


def verified(token, algorithm, now, secret=None, life=3600):
    """(header, claims) of a JWT, or ValueError: it must be signed with ALGORITHM, must have been
    issued by NOW and may live for LIFE seconds at most."""
    head, claims, signature = token.split(".")
    data = (head + "." + claims).encode()
    head, claims = (json.loads(decode(p), object_pairs_hook=once) for p in (head, claims))
    if head.get("alg") != algorithm or head.get("typ") != "JWT":
        raise ValueError("bad header: %r" % head)
    signature = decode(signature)
    if algorithm == "HS256":
        good = hmac.compare_digest(hmac.digest(secret, data, "sha256"), signature)
    else:
        good = {"RS256": rs256, "RS512": rs512, "PS256": ps256, "ES256": es256}[algorithm](data, signature)
    if not good:
        raise ValueError("bad signature")
    if not claims["iat"] <= now < claims["exp"] <= claims["iat"] + life:
        raise ValueError("bad times: %r at %r" % (claims, now))
    return head, claims
