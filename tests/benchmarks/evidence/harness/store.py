"""results.json: what was measured so far. Each finished cell is on the disk, whole, before the next one begins, so that a run that was
killed goes on where it stopped. Refuses to know what cells mean."""
import json
import os
import pathlib

FORMAT = 1


def write_whole(path: pathlib.Path, text: str) -> None:
    """Whole or not at all."""
    temporary = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    try:
        temporary.write_text(text, encoding="utf-8")
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def rtmcs(cells: dict[str, dict]) -> str:
    """Which rtmc the cells are of: several, where only some were looked at since it changed."""
    found = {f"{entry['version'] or 'rtmc'} {cell['rtmc']}" for cell in cells.values()
             for entry in cell.get("competitors", ()) if entry["kind"] == "ours"}
    return " and ".join(sorted(found)) or "rtmc missing"


class Store:
    """Cells by key, for one machine and one runner (`identity`). Results of another are set aside, never mixed in and never lost."""

    def __init__(self, path: pathlib.Path, identity: dict):
        self.path, self.set_aside = path, ""
        self.data = {"format": FORMAT, "identity": identity, "runs": [], "cells": {}}
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists():
            return
        try:
            found = json.loads(path.read_text(encoding="utf-8"))
            if not isinstance(found, dict) or not isinstance(found.get("cells"), dict) or not isinstance(found.get("runs"), list):
                raise ValueError("it is not a file of results")
            why = self._difference(found, identity)
        except (ValueError, OSError) as problem:
            found, why = None, f"it cannot be read ({problem})"
        if not why:
            self.data = found
            return
        old = path.with_name(f"{path.stem}.old{path.suffix}")
        os.replace(path, old)
        self.set_aside = f"{path.name} was moved to {old.name}: {why}"

    @staticmethod
    def _difference(found: dict, identity: dict) -> str:
        if found.get("format") != FORMAT:
            return f"its format is {found.get('format')}, not {FORMAT}"
        theirs = found.get("identity", {})
        names = [name for name in sorted(identity.keys() | theirs.keys()) if identity.get(name) != theirs.get(name)]
        return f"it is of another {' and '.join(names)}" if names else ""

    def begin(self, run: dict) -> None:
        self.data["runs"].append(run)

    def get(self, key: str) -> dict | None:
        return self.data["cells"].get(key)

    def put(self, key: str, result: dict) -> None:
        self.data["cells"][key] = result
        self.write()

    def write(self) -> None:
        write_whole(self.path, json.dumps(self.data, indent=1, sort_keys=True) + "\n")
