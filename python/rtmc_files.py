"""Writes weights in a form that rtmc reads. Owns the bytes of .safetensors; .npz is numpy's own savez."""
import json
import os
import struct

import numpy

_TYPES = {"float32": "F32", "float16": "F16", "uint8": "U8", "bool": "BOOL"}


def save_safetensors(path, tensors):
    """`tensors`: name -> array (float32, float16, uint8, bool), C order, little-endian. Whole or not at all."""
    header, offset, chunks = {}, 0, []
    for name, array in tensors.items():
        kind = _TYPES.get(array.dtype.name)
        if kind is None:
            raise ValueError(f"{name}: dtype {array.dtype} has no place in this writer")
        data = numpy.ascontiguousarray(array).astype(array.dtype.newbyteorder("<"), copy=False).tobytes()
        header[name] = {"dtype": kind, "shape": list(array.shape), "data_offsets": [offset, offset + len(data)]}
        offset += len(data)
        chunks.append(data)
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    temporary = f"{path}.{os.getpid()}.tmp"
    with open(temporary, "wb") as file:
        file.write(struct.pack("<Q", len(text)))
        file.write(text)
        for data in chunks:
            file.write(data)
    os.replace(temporary, path)
