#!/usr/bin/env python3
"""Writes the test vectors of package seal, from its package comment and nothing of its code.

A second implementation: HKDF by hand, DARE 2.0 by hand over the AEADs of the Python package "cryptography",
XChaCha20-Poly1305 by hand on top of ChaCha20-Poly1305. The age files in the key slots were made once, by age.
Run it in the directory that holds "vectors"; it replaces what is there. The vectors of a released format never change.
"""

import hashlib
import hmac
import os
import struct

from cryptography.hazmat.primitives.ciphers.aead import AESGCM, ChaCha20Poly1305

VOLUME_KEY = b"dfsmount test key, known to all."
VOLUME = b"dfsmount-test-id"
SALT = bytes(range(16))
SUITES = {0: AESGCM, 1: ChaCha20Poly1305}


def mac(key, data):
    return hmac.new(key, data, hashlib.sha256).digest()


def hkdf(secret, salt, info):
    return mac(mac(salt, secret), info + b"\x01")  # extract, then one block of expand


def root(label):
    return hkdf(VOLUME_KEY, VOLUME, b"dfsmount v1 " + label)


def segment_key(number, epoch, suite):
    info = b"dfsmount v1 segment" + struct.pack(">QQB", number, epoch, suite)
    return hkdf(root(b"log"), SALT, info)


def frame_key(segment, kind, offset, length):
    return mac(segment, b"dfsmount v1 frame" + struct.pack(">BQI", kind, offset, length) + b"\x01")


def dare(key, suite, random, plain, final=True, start=0):
    out, parts = b"", [plain[i : i + 65536] for i in range(0, len(plain), 65536)]
    for i, part in enumerate(parts):
        value = bytearray(random)
        value[0] &= 0x7F
        if final and i == len(parts) - 1:
            value[0] |= 0x80
        header = struct.pack("<BBH", 0x20, suite, len(part) - 1) + bytes(value)
        (low,) = struct.unpack("<I", value[8:])
        nonce = bytes(value[:8]) + struct.pack("<I", low ^ (start + i))
        out += header + SUITES[suite](key).encrypt(nonce, part, header[:4])
    return out


def dare10(key, random, plain):
    header = struct.pack("<BBHI", 0x10, 0, len(plain) - 1, 0) + random[:8]
    return header + AESGCM(key).encrypt(header[4:], plain, header[:4])


def hchacha(key, nonce):
    s = list(struct.unpack("<16I", b"expand 32-byte k" + key + nonce))

    def rotl(x, n):
        return (x << n | x >> (32 - n)) & 0xFFFFFFFF

    def quarter(a, b, c, d):
        for x, y, z, n in ((a, b, d, 16), (c, d, b, 12), (a, b, d, 8), (c, d, b, 7)):
            s[x] = (s[x] + s[y]) & 0xFFFFFFFF
            s[z] = rotl(s[z] ^ s[x], n)

    for _ in range(10):
        for i in range(4):
            quarter(i, 4 + i, 8 + i, 12 + i)
        for i in range(4):
            quarter(i, 4 + (i + 1) % 4, 8 + (i + 2) % 4, 12 + (i + 3) % 4)
    return struct.pack("<8I", *s[:4], *s[12:])


def xchacha(key, nonce, plain, place):
    box = ChaCha20Poly1305(hchacha(key, nonce[:16]))
    return nonce + box.encrypt(bytes(4) + nonce[16:], plain, place)


def pattern(n):
    return bytes((i * 7 + (i >> 8)) & 0xFF for i in range(n))


def write(name, vector, expect, comment, fields, body):
    head = {"vector": vector, "expect": expect, "comment": comment, **fields}
    with open(os.path.join("vectors", name + ".txt"), "w") as f:
        for k, v in head.items():
            f.write(f"{k}: {v}\n")
        f.write("\n" + body)


def lines(b):
    text = b.hex()
    return "".join(text[i : i + 96] + "\n" for i in range(0, len(text), 96))


KEYS = {"volume-key": VOLUME_KEY.hex(), "volume": VOLUME.hex()}
RANDOM = bytes.fromhex("f0e1d2c3b4a5968778695a4b")


def frame(name, expect, comment, suite=0, length=40, edit=None, big=False, **opened_at):
    number, epoch, kind, offset = 7, 3, 1, 4096
    key = frame_key(segment_key(number, epoch, suite), kind, offset, length)
    plain = pattern(length)
    sealed = dare(key, suite, RANDOM, plain)
    if edit:
        sealed = edit(key, sealed, plain)
    place = {"number": number, "epoch": epoch, "salt": SALT.hex(), "suite": suite}
    place |= {"kind": kind, "offset": offset, "length": length} | opened_at
    extra = {"frame-key": key.hex(), "random": RANDOM.hex()} if expect == "success" else {}
    if big:
        extra["sealed-sha256"] = hashlib.sha256(sealed).hexdigest()
    write("frame-" + name, "frame", expect, comment, KEYS | place | extra, "" if big else lines(sealed))


def flip(i, bit=1):
    def edit(_key, sealed, _plain):
        b = bytearray(sealed)
        b[i] ^= bit
        return bytes(b)

    return edit


def frames():
    bad = "not authentic"
    frame("aes", "success", "one package, AES-256-GCM")
    frame("chacha", "success", "one package, ChaCha20-Poly1305", suite=1)
    frame("one-byte", "success", "the shortest frame", length=1)
    frame("full-package", "success", "a full package is also the last", length=65536, big=True)
    frame("two-packages", "success", "a byte more than a package", length=65537, big=True)
    frame("long", "success", "packages 0 to 3", suite=1, length=200000, big=True)
    frame("other-kind", bad, "sealed as kind 1", kind=2)
    frame("other-offset", bad, "sealed at offset 4096", offset=4097)
    frame("other-number", bad, "sealed in segment 7", number=8)
    frame("other-epoch", bad, "sealed in epoch 3", epoch=4)
    frame("other-salt", bad, "sealed with another salt", salt=bytes(16).hex())
    frame("other-volume", bad, "sealed in another volume", volume=bytes(16).hex())
    frame("longer", bad, "one byte more at the end", edit=lambda k, s, p: s + b"\0")
    frame("flipped-tag", bad, "last bit of the tag", edit=flip(-1))
    frame("flipped-random", bad, "a bit of the random value", edit=flip(9))
    frame("flipped-final", bad, "final flag taken away", edit=flip(4, 0x80))
    frame("not-final", bad, "sealed without the final flag", edit=lambda k, s, p: dare(k, 0, RANDOM, p, final=False))
    frame("second-package", bad, "sealed as package 1, read as 0", edit=lambda k, s, p: dare(k, 0, RANDOM, p, start=1))
    frame("other-cipher", bad, "right key, but ChaCha20-Poly1305 in an AES segment",
          edit=lambda k, s, p: dare(k, 1, RANDOM, p))
    frame("dare-1.0", bad, "right key, but DARE 1.0", edit=lambda k, s, p: dare10(k, RANDOM, p))
    frame("truncated", bad, "one byte short", edit=lambda k, s, p: s[:-1])
    frame("empty", bad, "nothing at all", edit=lambda k, s, p: b"")


def derivations():
    for suite in SUITES:
        key = segment_key(1 << 40, 2, suite)
        fields = KEYS | {
            "number": 1 << 40, "epoch": 2, "salt": SALT.hex(), "suite": suite,
            "commitment": mac(key, b"dfsmount v1 commitment\x01")[:16].hex(),
            "kind": 5, "offset": 1 << 33, "length": 1 << 31,
            "frame-key": frame_key(key, 5, 1 << 33, 1 << 31).hex(),
            "parent": 1 << 50, "name": "Grüße.txt".encode().hex(),
            "name-hash": mac(root(b"names"), struct.pack(">Q", 1 << 50) + "Grüße.txt".encode())[:8].hex(),
        }
        write(f"keys-{suite}", "keys", "success", "what is derived from the volume key", fields, "")


def values():
    key, nonce = hkdf(root(b"index"), SALT, b"dfsmount v1 values"), bytes(range(100, 124))
    for name, plain, sealed_at, opened_at in (
        ("short", b"a value", b"bucket/key", b"bucket/key"),
        ("empty", b"", b"bucket/key", b"bucket/key"),
        ("long", pattern(1000), b"", b""),
        ("other-place", b"a value", b"bucket/key", b"bucket/kez"),
    ):
        good = sealed_at == opened_at
        fields = KEYS | {"salt": SALT.hex(), "place": opened_at.hex()} | ({"plain": plain.hex()} if good else {})
        comment = "a value of an index" if good else "sealed for another place"
        write("value-" + name, "value", "success" if good else "not authentic", comment, fields,
              lines(xchacha(key, nonce, plain, sealed_at)))


PASSPHRASE_SLOT = (
    "YWdlLWVuY3J5cHRpb24ub3JnL3YxCi0+IHNjcnlwdCBVcDJIUm9mR29vaVlFRnBmTk1mUkF3IDYKZERsRHd1ODN2RlVXSkxXVWlBeEJOUGlnZ3llaHRV"
    "ZytJV0orYzhyRzZDZwotLS0gcXhHV21zRnBoM083YXVzeitwSjV1R1krMUhoZ1JiMWJSajhQd1VuZ1V3NApotSxU+hcUBywwwPkm40VQlUtO0eudc2JA"
    "Cr/KaNOYwh3h4Jlo3cJzUeiiDWf46rKCNzfNoYrvP92boYhWWiSU"
)
RECOVERY_SLOT = (
    "YWdlLWVuY3J5cHRpb24ub3JnL3YxCi0+IFgyNTUxOSBhY3RCeWRITmhzRzE4WXlxTUh1MG1oQXdkK0hPdnlOWmk3SHY1OFNXbzFjClkrYXE5N1BucW5B"
    "Nm5JK1RrQjVXemVscGtGd1o2TzF1RllIUXJWbG51YWMKLS0tIEhGcjRLTGRjN282d242aElWUU1OOUN4MVY3RmRnWWpSTmoxR0pXNFR1NVUKa0MnaG7w"
    "LPomMziXCsoxkEsudkIvLXns5bk7Yga80gF46/7jNyrkzGnZMfoMFhajj1mn1Zl8WE/2wF78OS9T0Q=="
)
PASSPHRASE = "correct horse battery staple"
RECOVERY_KEY = "AGE-SECRET-KEY-1LU44ZHLTG2GXYXN4M0QQ74608H89VQVDN3G35Y8JC8XNL0F09JGSCTP504"

HEADER = """{
  "format": %(format)s,
  "volume": "%(volume)s",
  "created": "2026-01-02T03:04:05Z",
  "generation": %(generation)s,
  "suite": "%(suite)s",
  "features": %(features)s,
  "slots": [
    {
      "name": "passphrase",
      "kind": "passphrase",
      "created": "2026-01-02T03:04:05Z",
      "age": "%(passphrase)s"
    },
    {
      "name": "recovery key",
      "kind": "%(kind)s",
      "created": "2026-01-02T03:04:05Z",
      "age": "%(recovery)s"
    }
  ],
  "mac": "%(mac)s"
}
"""


def signed(**fields):
    d = {
        "format": 1, "volume": VOLUME.hex(), "generation": 2, "suite": "aes-256-gcm", "features": "[]",
        "passphrase": PASSPHRASE_SLOT, "kind": "recovery", "recovery": RECOVERY_SLOT, "mac": "",
    } | fields
    return d | {"mac": mac(root(b"header"), (HEADER % d).encode()).hex()}


def header(name, expect, comment, after=None, key=None, **fields):
    text = HEADER % (signed(**fields) | (after or {}))
    secrets = {"volume-key": VOLUME_KEY.hex(), "passphrase": PASSPHRASE, "recovery-key": RECOVERY_KEY} | (key or {})
    write("header-" + name, "header", expect, comment, secrets, text)


def headers():
    header("aes", "success", "opens with passphrase and recovery key")
    header("chacha", "success", "the other suite, a late generation", suite="chacha20-poly1305", generation=2**64 - 1)
    header("wrong-passphrase", "no slot", "passphrase of another case", key={"passphrase": PASSPHRASE.upper(), "recovery-key": ""})
    header("suite-changed", "altered", "suite changed after signing", after={"suite": "chacha20-poly1305"})
    header("generation-changed", "altered", "made to look newer", after={"generation": 3})
    header("mac-zero", "altered", "a MAC of zeros", after={"mac": "0" * 64})
    header("format-2", "unknown format", "signed, but of format 2", format=2)
    header("feature", "unknown feature", "signed, but with a feature nobody knows", features='[\n    "time-travel"\n  ]')
    header("slot-kind", "unknown feature", "signed, but with a slot of a kind nobody knows", kind="tpm")
    header("upper-case-mac", "damaged", "the same MAC, another text", after={"mac": signed()["mac"].upper()})
    header("spaces", "damaged", "the same JSON, another text", after={"format": " 1"})


if __name__ == "__main__":
    for old in os.listdir("vectors"):
        os.remove(os.path.join("vectors", old))
    derivations()
    frames()
    values()
    headers()
