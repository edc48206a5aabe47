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
    write_whole(path, [struct.pack("<Q", len(text)), text, *chunks])


def write_whole(path, chunks):
    """Writes bytes to a file that appears whole or not at all; what was there stays where writing fails."""
    temporary = f"{path}.{os.getpid()}.tmp"
    try:
        with open(temporary, "wb") as file:
            for data in chunks:
                file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        if os.path.exists(temporary):
            os.remove(temporary)
        raise
