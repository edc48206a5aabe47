"""The output folder: sweep.json says whose it is; dense/ and candidates/<id>/ each have a model and a record.json. A record is written
whole after every step, so a sweep that was killed goes on where it stopped. Refuses to know what records mean."""
import fcntl
import hashlib
import json
import os
import pathlib
import shutil
from typing import Any, Dict, List, Optional

from ..files import write_whole
from .errors import SearchError

FORMAT = 1
DENSE = "dense"
REPORTS = ("results.json", "results.md", "pareto.svg")


def digest_of(*files: "str | os.PathLike[str]") -> str:
    """Of contents, in the order given; "" where one is missing."""
    whole = hashlib.sha256()
    for file in files:
        try:
            whole.update(hashlib.sha256(pathlib.Path(file).read_bytes()).digest())
        except OSError:
            return ""
    return whole.hexdigest()[:16]


def key_of(value: Any) -> str:
    """Of plain values, whatever the order of their keys."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:16]


def changes(old: Dict[str, Any], new: Dict[str, Any]) -> List[str]:
    """What differs, in words."""
    said = []
    for name in sorted(old.keys() | new.keys()):
        before, now = old.get(name), new.get(name)
        if before != now:
            if isinstance(before, dict) and isinstance(now, dict):
                said += [f"{name}: {text}" for text in changes(before, now)]
            else:
                said.append(f"{name} was {_shown(before)}, is {_shown(now)}")
    return said


def _shown(value: Any) -> str:
    text = "not there" if value is None else value if isinstance(value, str) else json.dumps(value)
    return f"'{text}'" if isinstance(value, str) else text


class Store:
    """Open for one process at a time."""

    def __init__(self, folder: "str | os.PathLike[str]", identity: Dict[str, Any], anew: bool = False):
        """`identity`: of the models that are made. A folder of another one is refused; `anew` empties it first."""
        self.folder = pathlib.Path(folder)
        self._found()  # before anything is written there
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            self._lock = open(self.folder / ".lock", "w")  # noqa: SIM115  (held until the process or close() ends it)
        except OSError as error:
            raise SearchError(f"the output folder '{folder}' cannot be used: {error}") from None
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            self._lock.close()
            raise SearchError(f"another process is searching in '{folder}'") from None
        found = self._found()
        if found and anew:
            self._empty()
            found = None
        if found and found["identity"] != identity:
            self.close()
            raise SearchError(f"'{folder}' is the output of another sweep: {'; '.join(changes(found['identity'], identity))}. Give another "
                              "output folder, or --again models to make everything anew in this one")
        self.sweep: Dict[str, Any] = found or {"format": FORMAT, "identity": identity, "runs": []}
        self.save()

    def _found(self) -> Optional[Dict[str, Any]]:
        path = self.folder / "sweep.json"
        if self.folder.exists() and not self.folder.is_dir():
            raise SearchError(f"the output folder '{self.folder}' is no folder")
        if not path.exists():
            # A process that was killed may leave a temporary file of the first sweep.json.
            if self.folder.exists() and any(not entry.name.startswith((".lock", "sweep.json.")) for entry in self.folder.iterdir()):
                raise SearchError(f"'{self.folder}' holds other files and no sweep; give a new or empty output folder")
            return None
        found = _read(path)
        if found is None or not isinstance(found.get("identity"), dict) or not isinstance(found.get("runs"), list):
            raise SearchError(f"{path} cannot be read as a sweep; remove the folder, or give another one")
        if found.get("format") != FORMAT:
            raise SearchError(f"{path} has format {found.get('format')}, this program writes {FORMAT}; give another output folder")
        return found

    def _empty(self) -> None:
        """Only what a sweep writes; sweep.json last, so that a folder half emptied still is one."""
        for name in ("candidates", DENSE):
            shutil.rmtree(self.folder / name, ignore_errors=True)
        for name in (*REPORTS, "sweep.json"):
            (self.folder / name).unlink(missing_ok=True)

    def save(self) -> None:
        self._write(self.folder / "sweep.json", self.sweep)

    def model_folder(self, id: str) -> pathlib.Path:
        return self.folder / DENSE if id == DENSE else self.folder / "candidates" / id

    def record(self, id: str) -> Dict[str, Any]:
        """What is known of a candidate; empty at first, and where the file cannot be read."""
        return _read(self.model_folder(id) / "record.json") or {}

    def save_record(self, id: str, record: Dict[str, Any]) -> None:
        folder = self.model_folder(id)
        folder.mkdir(parents=True, exist_ok=True)
        self._write(folder / "record.json", record)

    @staticmethod
    def _write(path: pathlib.Path, value: Any) -> None:
        write_whole(path, [(json.dumps(value, indent=1, sort_keys=True, allow_nan=False) + "\n").encode()])

    def close(self) -> None:
        self._lock.close()


def _read(path: pathlib.Path) -> Optional[Dict[str, Any]]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) else None
