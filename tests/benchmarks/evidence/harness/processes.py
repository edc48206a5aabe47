"""Programs that the harness starts: one that answers JSON lines, and one that runs to its end. What goes wrong is one line of text."""
import json
import os
import pathlib
import select
import subprocess
import time


class Failed(Exception):
    """A program did not do what it was asked; the text is one line for the report."""


def last_line(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1][:400] if lines else ""


def run(command: list[str], timeout: float = 600, environment: dict | None = None) -> str:
    """-> stdout. Failed names the program, how it ended, and its first words."""
    name = pathlib.Path(command[0]).name
    try:
        done = subprocess.run(command, capture_output=True, text=True, errors="replace", timeout=timeout, stdin=subprocess.DEVNULL,
                              env=environment)
    except OSError as problem:
        raise Failed(f"{name} cannot be started: {problem.strerror or problem}") from None
    except subprocess.TimeoutExpired:
        raise Failed(f"{name} did not end within {timeout:.0f} s") from None
    if done.returncode:
        said = next((line.strip() for line in done.stderr.splitlines() if "error" in line.lower() or "wrong" in line.lower()), "")
        raise Failed(f"{name} {ended(done.returncode)}: {said or last_line(done.stderr) or 'it said nothing'}"[:500])
    return done.stdout


def ended(status: int) -> str:
    return f"was ended by signal {-status}" if status < 0 else f"ended with status {status}"


class Talker:
    """One request object per line in, one reply object per line out. Killed when it is silent for too long."""

    def __init__(self, command: list[str], log: pathlib.Path, environment: dict | None = None):
        self.name, self.log, self.buffer = pathlib.Path(command[0]).name, log, b""
        log.parent.mkdir(parents=True, exist_ok=True)
        try:
            with open(log, "wb") as errors:
                self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, env=environment)
        except OSError as problem:
            raise Failed(f"{self.name} cannot be started: {problem.strerror or problem}") from None

    def ask(self, request: dict, timeout: float) -> dict:
        try:
            self.process.stdin.write(json.dumps(request).encode() + b"\n")
            self.process.stdin.flush()
        except OSError:
            raise self._died() from None
        return self.listen(timeout)

    def listen(self, timeout: float) -> dict:
        end = time.monotonic() + timeout
        while b"\n" not in self.buffer:
            ready = select.select([self.process.stdout], [], [], max(0.0, end - time.monotonic()))[0]
            if not ready:
                self.close()
                raise Failed(f"{self.name} said nothing for {timeout:.0f} s and was ended")
            piece = os.read(self.process.stdout.fileno(), 1 << 16)
            if not piece:
                raise self._died()
            self.buffer += piece
        line, _, self.buffer = self.buffer.partition(b"\n")
        try:
            reply = json.loads(line)
        except ValueError:
            reply = None
        if not isinstance(reply, dict):
            self.close()
            raise Failed(f"{self.name} answered '{line[:80].decode(errors='replace')}', no JSON object")
        return reply

    def _died(self) -> Failed:
        self.close()
        said = last_line(self.log.read_text(errors="replace")) if self.log.exists() else ""
        return Failed(f"{self.name} {ended(self.process.returncode)}" + (f": {said}" if said else ""))

    def close(self) -> None:
        """Ends it: kindly first, its standard input closed."""
        try:
            self.process.stdin.close()
        except OSError:
            pass  # it has ended, and what was written to it is lost
        try:
            self.process.wait(timeout=2)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()
