"""Damages archives so that NumPy refuses each with a different error."""

import io
import struct
import zipfile

import numpy as np


def _encrypted(path):
    _flip(path, 6, 8, lambda flags: flags | 1)


def _unknown_compression(path):
    _flip(path, 8, 10, lambda _: 99)


def _flip(path, local, central, change):
    """Changes a two-byte number in the local and the central header of each member."""
    content = bytearray(path.read_bytes())
    for signature, place in ((b"PK\x03\x04", local), (b"PK\x01\x02", central)):
        found = content.find(signature)
        while found >= 0:
            (value,) = struct.unpack_from("<H", content, found + place)
            struct.pack_into("<H", content, found + place, change(value))
            found = content.find(signature, found + 1)
    path.write_bytes(content)


def _damaged_deflate(path):
    members = _members(path)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for name, content in members.items():
            file.writestr(name, content)
    content = bytearray(path.read_bytes())
    begin = 30 + len("arr_0.npy")
    content[begin : begin + 8] = b"\xff" * 8
    path.write_bytes(content)


def _huge_shape(path):
    members = _members(path)
    head = io.BytesIO()
    np.lib.format.write_array_header_1_0(head, {"descr": "<f4", "fortran_order": False, "shape": (10**14,)})
    _write(path, members | {"arr_0.npy": head.getvalue()})


def _brackets(path):
    text = io.BytesIO()
    np.save(text, np.array("[" * 200_000))
    _write(path, _members(path) | {"head.npy": text.getvalue()})


def _no_head(path):
    _write(path, {name: content for name, content in _members(path).items() if name != "head.npy"})


def _other_head(text):
    def damage(path):
        head = io.BytesIO()
        np.save(head, np.array(text))
        _write(path, _members(path) | {"head.npy": head.getvalue()})

    return damage


def _members(path) -> dict[str, bytes]:
    with zipfile.ZipFile(path) as file:
        return {name: file.read(name) for name in file.namelist()}


def _write(path, members: dict[str, bytes]):
    with zipfile.ZipFile(path, "w") as file:
        for name, content in members.items():
            file.writestr(name, content)


DAMAGES = {
    "encrypted": _encrypted,
    "unknown compression": _unknown_compression,
    "damaged deflate": _damaged_deflate,
    "huge shape": _huge_shape,
    "brackets": _brackets,
    "no head": _no_head,
    "null": _other_head("null"),
    "list": _other_head("[]"),
    "number": _other_head("1e999"),
    "text": _other_head("no JSON"),
    "truncated": lambda path: path.write_bytes(path.read_bytes()[:-40]),
}
