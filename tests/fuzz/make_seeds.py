#!/usr/bin/env python3
"""Writes the seed corpora beside this file: one small valid input per shape of the formats, and known nasty ones."""
import io
import json
import pathlib
import struct
import zipfile

ROOT = pathlib.Path(__file__).parent / "corpus"


def put(kind, name, data):
    path = ROOT / kind / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data if isinstance(data, bytes) else data.encode())


def safetensors(header, data=b""):
    text = header if isinstance(header, str) else json.dumps(header)
    text += " " * (-len(text) % 8)
    return struct.pack("<Q", len(text)) + text.encode() + data


def tensor(dtype, shape, begin, end):
    return {"dtype": dtype, "shape": shape, "data_offsets": [begin, end]}


def npy(descr, shape, data, fortran=False, version=1):
    header = "{'descr': %r, 'fortran_order': %r, 'shape': %r, }" % (descr, fortran, shape)
    prefix = 10 if version == 1 else 12
    header += " " * (-(prefix + len(header) + 1) % 64) + "\n"
    return b"\x93NUMPY" + bytes([version, 0]) + struct.pack("<H" if version == 1 else "<I", len(header)) + header.encode() + data


def npz(members, method=zipfile.ZIP_DEFLATED, zip64=False):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as archive:
        for name, data in members.items():
            info = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
            info.compress_type = method
            with archive.open(info, "w", force_zip64=zip64) as member:
                member.write(data)
    return out.getvalue()


def main():
    put("safetensors", "empty", safetensors({}))
    put("safetensors", "two", safetensors({"__metadata__": {"format": "pt"}, "a": tensor("F32", [2, 1], 0, 8),
                                           "b": tensor("BOOL", [3], 8, 11)}, bytes(11)))
    put("safetensors", "overlap", safetensors({"a": tensor("U8", [2], 0, 2), "b": tensor("U8", [2], 1, 3)}, bytes(3)))
    put("safetensors", "overflow", safetensors({"a": tensor("F32", [2**32, 2**32], 0, 0)}))
    put("safetensors", "huge", safetensors({"a": tensor("F32", [0], 2**64 - 1, 2**64 - 1)}))
    put("safetensors", "deep", safetensors("[" * 200))
    put("safetensors", "strings", safetensors('{"\\u0061\\"{":{"dtype":"U8","shape":[],"data_offsets":[0,1]}}', b"\1"))
    put("safetensors", "length", b"\xff" * 8 + b"{}")

    weights = struct.pack("<6f", *range(6))
    put("npz", "deflated", npz({"w.npy": npy("<f4", (2, 3), weights), "m.npy": npy("|b1", (2, 3), bytes([1, 0, 1, 0, 1, 0]))}))
    put("npz", "stored", npz({"w.npy": npy("<f4", (2, 3), weights, fortran=True)}, zipfile.ZIP_STORED))
    put("npz", "zip64", npz({"w.npy": npy("<f8", (3,), bytes(24), version=2)}, zip64=True))
    put("npz", "scalar_and_empty", npz({"s.npy": npy("<f2", (), b"\0\0", version=3), "e.npy": npy("<f4", (0, 7), b"")}))
    put("npz", "big_endian", npz({"w.npy": npy(">f4", (6,), weights), "o.npy": npy("|O", (1,), b"\x80\x04N.")}))
    put("npz", "wrong_size", npz({"w.npy": npy("<f4", (2, 4), weights), "x.npy": b"\x93NUMPY\x01\x00\xff\xff"}))
    put("npz", "bzip2", npz({"w.npy": npy("<f4", (2, 3), weights)}, zipfile.ZIP_BZIP2))
    put("npz", "no_arrays", npz({"readme.txt": b"x"}))

    head = "rtm: 1\nname: demo\nweights: [w.npz, v.safetensors]\ninputs:\n  - {name: x, size: 3, range: [-1, 1e0]}\nlayers:\n"
    put("model", "gru", head + "  - {name: a, op: gru, size: 4, reset: before, direction: both, gate_order: zrn,\n"
        "     tensors: {weight_hh: [u, v, w], bias_ih: b}, sparsity: {scheme: bsp, block: [2, 3]}}\noutputs: [a]\n")
    put("model", "lstm", head + "  - name: a\n    op: lstm\n    size: 4\n    peepholes: true\n    projection: 2\n"
        "    sparsity:\n      weight_ih: {scheme: row}\n  - {name: b, op: linear, size: 2, input: [a, x], activation: softmax}\noutputs: [b, a]\n")
    put("model", "errors", head + "  - {name: int, op: gru, size: 0, input: b}\n  - {name: b, op: rnn, siz: 4, size: '4'}\noutputs: [c]\n")
    put("model", "yaml", "? [a]\n: &x *x\n--- !!map\n\"a\\x41\": 'b''c'\n%TAG ! !\n<<: |2-\n  text\n")
    put("model", "nested", "rtm: " + "[" * 40 + "{" * 40)
    put("model", "crlf", head.replace("\n", "\r\n") + "\t- x\r")


if __name__ == "__main__":
    main()
