"""Checks what `trawlctl prove` printed without trawld; usage: python3 check-proof.py PROOF.json PUBLIC-KEY.pem

It shows that the record is among those of the seal (RFC 9162, section 2.1.3.2) and that the seal was signed with the
key (Ed25519, RFC 8032). Only Python's standard library is used, so that it can be read and trusted by itself."""
import base64, hashlib, json, sys

P, L = 2**255 - 19, 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, -1, P) % P

def add(a, b):
    x, y = a[0] * b[1] + b[0] * a[1], a[1] * b[1] + a[0] * b[0]
    t = D * a[0] * b[0] * a[1] * b[1]
    return x * pow(1 + t, -1, P) % P, y * pow(1 - t, -1, P) % P

def times(n, point):
    total = (0, 1)
    for bit in bin(n)[2:]:
        total = add(total, total)
        total = add(total, point) if bit == "1" else total
    return total

def point(data):
    y, sign = int.from_bytes(data, "little") % 2**255, data[31] >> 7
    square = (y * y - 1) * pow(D * y * y + 1, -1, P) % P
    x = pow(square, (P + 3) // 8, P)
    x = x if x * x % P == square else x * pow(2, (P - 1) // 4, P) % P
    assert x * x % P == square, "not a point of the curve"
    return (x if x % 2 == sign else P - x), y

def signed(key, text, mark):
    h = int.from_bytes(hashlib.sha512(mark[:32] + key + text).digest(), "little") % L
    s = int.from_bytes(mark[32:], "little")
    base = point((4 * pow(5, -1, P) % P).to_bytes(32, "little"))
    return len(mark) == 64 and s < L and times(s, base) == add(point(mark[:32]), times(h, point(key)))

def root(proof):
    node, n, last = hashlib.sha256(b"\0" + proof["record"].encode()).digest(), proof["index"], proof["size"] - 1
    for other in map(bytes.fromhex, proof["path"]):
        left = n % 2 or n == last
        node = hashlib.sha256(b"\1" + (other + node if left else node + other)).digest()
        while left and n % 2 == 0 and n:
            n, last = n // 2, last // 2
        n, last = n // 2, last // 2
    return node.hex() if last == 0 else None

if len(sys.argv) != 3:
    sys.exit(__doc__.splitlines()[0])
try:
    proof, pem = json.load(open(sys.argv[1])), open(sys.argv[2]).read()
except (OSError, ValueError) as error:
    sys.exit("%s cannot be read as a proof and a public key: %s" % (" and ".join(sys.argv[1:]), error))
der = base64.b64decode("".join(line for line in pem.splitlines() if not line.startswith("-")))
seal, body = proof["seal"], json.loads(proof["seal"]["body"])
if root(proof) != body["root"] or proof["size"] != body["records"] or not 0 <= proof["index"] < proof["size"]:
    sys.exit("FALSE: the record is not among those of the seal")
if not signed(der[-32:], seal["body"].encode(), base64.b64decode(seal["signature"])):
    sys.exit("FALSE: the seal was not signed with this key")
print("TRUE: record %d of %d of seal %d, made %s" % (proof["index"] + 1, proof["size"], body["seal"], body["time"]))
