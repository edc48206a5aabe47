"""One line on a terminal that says what is measured and how long it will take; nothing anywhere else."""
import shutil
import sys
import time


class Progress:
    def __init__(self, total: int, quiet: bool = False):
        self.total, self.done, self.title, self.begin = total, -1, "", time.monotonic()
        self.shown = not quiet and sys.stderr.isatty()

    def cell(self, title: str) -> None:
        self.done, self.title = self.done + 1, title
        self.total = max(self.total, self.done + 1)
        self.say("")

    def say(self, doing: str) -> None:
        if not self.shown:
            return
        passed = time.monotonic() - self.begin
        # The first cell is the machine's own: it says nothing about the others.
        left = f", {_minutes(passed / self.done * (self.total - self.done))} left" if self.done > 1 else ""
        line = f"[{self.done + 1}/{self.total}] {self.title}{': ' if doing else ''}{doing} ({_minutes(passed)}{left})"
        sys.stderr.write(f"\r\x1b[K{line[:shutil.get_terminal_size().columns - 1]}")
        sys.stderr.flush()

    def end(self) -> None:
        if self.shown:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()


def _minutes(seconds: float) -> str:
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"
