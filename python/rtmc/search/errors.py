"""What stops a sweep. What goes wrong with one candidate does not: it is a row of the results."""


class SearchError(RuntimeError):
    """The sweep cannot begin: the options, the model, the functions or the output folder are wrong."""


def in_short(text: str, limit: int = 240) -> str:
    """One line of a message, for tables and progress; the results keep the whole."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if len(lines) > 1 and " ended with status " in lines[0]:
        lines = lines[1:]  # what the program said tells more than its status
    line = lines[0] if lines else "no reason was given"
    return line if len(line) <= limit else line[:limit - 4] + " ..."
