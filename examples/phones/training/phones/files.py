"""Files of this experiment, each whole or not at all (rtmc.files); folders are made."""
from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import numpy
from rtmc.files import write_whole


def write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, [content])


def write_json(path: Path, value: Any) -> None:
    write(path, (json.dumps(value, indent=1, ensure_ascii=False) + "\n").encode())


def write_npz(path: Path, compressed: bool = False, **arrays: Any) -> None:
    buffer = io.BytesIO()
    (numpy.savez_compressed if compressed else numpy.savez)(buffer, **arrays)
    write(path, buffer.getbuffer())
