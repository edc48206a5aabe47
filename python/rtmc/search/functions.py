"""The user's functions: found in a file, told apart from what they were before, and what they raise put into words."""
import hashlib
import importlib.util
import inspect
import pathlib
import sys
import traceback
from typing import Any, Callable

from ..pruning.errors import nearest
from .errors import SearchError


def load(spec: str, default: str, option: str) -> Callable:
    """`FILE.py` or `FILE.py:FUNCTION`; its folder is importable, as when the file is run."""
    file, colon, name = spec.rpartition(":")
    if not colon or not name.isidentifier():
        file, name = spec, default
    path = pathlib.Path(file)
    if not path.is_file():
        raise SearchError(f"{option}: there is no file '{file}'; FILE.py or FILE.py:FUNCTION is needed")
    path = path.resolve()
    module_name = "rtmc_search_" + hashlib.sha256(str(path).encode()).hexdigest()[:12]
    module = sys.modules.get(module_name)
    if module is None:
        description = importlib.util.spec_from_file_location(module_name, path)
        if description is None or description.loader is None:
            raise SearchError(f"{option}: '{file}' is no Python file; its name has to end in .py")
        module = importlib.util.module_from_spec(description)
        sys.path.insert(0, str(path.parent))
        sys.modules[module_name] = module  # where pickle and dataclasses look
        try:
            description.loader.exec_module(module)
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # SystemExit too: a script without a main guard
            del sys.modules[module_name]
            raise SearchError(f"{option}: '{file}' cannot be imported: {said(error, str(path))}") from error
    function = getattr(module, name, None)
    if not callable(function):
        known = [key for key, value in vars(module).items() if inspect.isfunction(value) and value.__module__ == module_name]
        raise SearchError(f"{option}: '{file}' has no function '{name}'{nearest(name, known)}")
    return function


def fingerprint(function: Callable) -> str:
    """Of the file that the function stands in (in a notebook: of its text); "" where no source is known."""
    target: Any = function if inspect.isroutine(function) else type(function)
    try:
        content = pathlib.Path(inspect.getsourcefile(target) or "").read_bytes()
    except (TypeError, OSError):
        try:
            content = inspect.getsource(target).encode()
        except (TypeError, OSError):
            return ""
    return f"{getattr(function, '__qualname__', target.__name__)} {hashlib.sha256(content).hexdigest()[:16]}"


def name_of(function: Callable) -> str:
    target: Any = function if inspect.isroutine(function) else type(function)
    try:
        file = pathlib.Path(inspect.getsourcefile(target) or "").name
    except TypeError:
        file = ""
    return ":".join(part for part in (file, getattr(function, "__name__", target.__name__)) if part)


def takes(function: Callable, parameter: str) -> bool:
    try:
        return parameter in inspect.signature(function).parameters
    except (TypeError, ValueError):  # built in
        return False


def said(error: BaseException, file: str = "") -> str:
    """The error, and the last line of `file` (default: of anybody's) on its way."""
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if not file or frame.filename == file] or list(frames)
    where = f" ({pathlib.Path(own[-1].filename).name}, line {own[-1].lineno})" if own else ""
    return f"{type(error).__name__}: {error}{where}"


def source_of(function: Callable) -> str:
    target: Any = function if inspect.isroutine(function) else type(function)
    try:
        return inspect.getsourcefile(target) or ""
    except TypeError:
        return ""
