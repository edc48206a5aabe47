"""Runs rtmc and a C++ compiler: model.yaml -> a shared library in a cache. The library holds the model, the runtime, and a table
of the C interface's functions, because the runtime's own names are hidden in it."""
import atexit
import hashlib
import json
import logging
import os
import pathlib
import shlex
import shutil
import subprocess
import tempfile
from typing import List, Optional, Sequence

log = logging.getLogger("rtmc")

# As `rtmc run` has them. No -march: instruction sets are attributes in the source.
_FLAGS = ["-std=c++20", "-O2", "-fPIC", "-shared", "-fvisibility=hidden", "-ffp-contract=off"]

_SHIM = """#include <rtm/rtm.h>
extern "C" const rtm_model *{name}_model(void);
struct Table {{
  decltype(&{name}_model) model;
  decltype(&rtm_model_describe) describe;
  decltype(&rtm_session_create) create;
  decltype(&rtm_session_destroy) destroy;
  decltype(&rtm_step) step;
  decltype(&rtm_run) run;
  decltype(&rtm_reset) reset;
  decltype(&rtm_state_save) state_save;
  decltype(&rtm_state_load) state_load;
  decltype(&rtm_status_string) status_string;
}};
extern "C" __attribute__((visibility("default"))) extern const Table rtmc_python;
const Table rtmc_python = {{{name}_model, rtm_model_describe, rtm_session_create, rtm_session_destroy, rtm_step, rtm_run,
                          rtm_reset, rtm_state_save, rtm_state_load, rtm_status_string}};
"""


class CompileError(RuntimeError):
    """rtmc or the C++ compiler refused or is missing; the message is theirs."""


def find_rtmc(named: Optional[str] = None) -> str:
    """The one that is named, $RTMC, PATH, or the build folder of the checkout that this file is in."""
    for where in (named, os.environ.get("RTMC")):
        if where:
            found = shutil.which(where)
            if not found:
                raise CompileError(f"there is no program '{where}'")
            return os.path.realpath(found)
    checkout = pathlib.Path(__file__).resolve().parent.parent.parent
    for candidate in ("rtmc", *map(str, sorted(checkout.glob("build/*/bin/rtmc"), key=lambda path: path.parts[-3] != "release"))):
        found = shutil.which(candidate)
        if found:
            return os.path.realpath(found)
    raise CompileError("rtmc was not found: set RTMC to the program, or put it on PATH (README.md: scripts/build.sh builds it)")


def build_library(model: str, options: Sequence[str], rtmc: Optional[str] = None, cxx: Optional[str] = None,
                  cache: Optional[str] = None) -> str:
    """The path of the library, built now or before."""
    if os.path.isdir(model):
        model = os.path.join(model, "model.yaml")
    if not os.path.exists(model):
        raise CompileError(f"there is no file '{model}'")
    program = find_rtmc(rtmc)
    compiler = find_compiler(cxx)
    runtime, include = find_runtime(program)
    with tempfile.TemporaryDirectory(prefix="rtmc-python-") as folder:
        source = os.path.join(folder, "model.cpp")
        facts = json.loads(run([program, model, "-o", source, "--json", *options]))
        shim = os.path.join(folder, "shim.cpp")
        pathlib.Path(shim).write_text(_SHIM.format(name=facts["name"]))
        key = hashlib.sha256()
        for path in (*sorted(facts["outputs"]), shim, runtime):
            key.update(hashlib.sha256(pathlib.Path(path).read_bytes()).digest())
        key.update(json.dumps([compiler, _FLAGS]).encode() + run([*compiler, "--version"]).encode())
        library = os.path.join(_cache_folder(cache), f"{facts['name']}-{key.hexdigest()[:32]}.so")
        if not os.path.exists(library):
            # Beside the final place, so that the rename is whole; a folder of its own, so that nothing half-made stays.
            with tempfile.TemporaryDirectory(prefix=".building-", dir=os.path.dirname(library)) as building:
                made = os.path.join(building, "library.so")
                run([*compiler, *_FLAGS, f"-I{include}", f"-Wa,-I{folder}", source, shim, runtime, "-pthread", "-o", made],
                     {"TMPDIR": folder})
                os.replace(made, library)
    return library


def find_compiler(named: Optional[str]) -> List[str]:
    given = named or os.environ.get("CXX")
    for candidate in [given] if given else ["clang++-19", "g++"]:
        words = shlex.split(candidate)
        if words and shutil.which(words[0]):
            return words
    raise CompileError(f"no C++ compiler was found (looked for {given or 'clang++-19, g++'}); cxx= names one")


def find_runtime(program: str) -> List[str]:
    """The runtime's library and headers beside this rtmc: of an installation or of a build folder."""
    prefix = pathlib.Path(program).parent.parent
    for pattern in ("lib/librtm.a", "lib/*/librtm.a", "lib64/librtm.a", "runtime/librtm.a"):
        for found in sorted(prefix.glob(pattern)):
            if (prefix / "include/rtm/rtm.h").exists():
                return [str(found), str(prefix / "include")]
    raise CompileError(f"the runtime (librtm.a and include/rtm) is not beside {program}: neither an installation nor a whole build")


def _cache_folder(named: Optional[str]) -> str:
    given = named or os.environ.get("RTMC_CACHE")
    folder = given or os.path.join(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"), "rtmc")
    try:
        os.makedirs(folder, mode=0o700, exist_ok=True)
        if os.access(folder, os.W_OK | os.X_OK):
            return folder
        reason = "is not writable"
    except OSError as error:
        reason = str(error)
    if given:
        raise CompileError(f"the cache folder '{folder}' cannot be used: {reason}")
    temporary = tempfile.mkdtemp(prefix="rtmc-cache-")
    atexit.register(shutil.rmtree, temporary, ignore_errors=True)
    return temporary


def run(command: Sequence[str], environment: Optional[dict] = None) -> str:
    try:
        done = subprocess.run(list(command), capture_output=True, text=True, stdin=subprocess.DEVNULL,
                              env={**os.environ, **(environment or {})})
    except OSError as error:
        raise CompileError(f"{command[0]} cannot be run: {error}") from None
    if done.returncode:
        raise CompileError(f"{os.path.basename(command[0])} ended with status {done.returncode}:\n{(done.stderr or done.stdout).strip()}")
    if done.stderr.strip():
        log.info("%s", done.stderr.strip())
    return done.stdout
