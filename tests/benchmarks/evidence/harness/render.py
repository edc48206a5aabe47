"""A report as Markdown and as one HTML file: no script, no network, SVG and CSS inside. Refuses to know what it says."""
import dataclasses
import html

from .tables import Table

STYLE = """body{font:15px/1.45 system-ui,sans-serif;max-width:1180px;margin:2em auto;padding:0 1em;color:#111;background:#fff}
h1{font-size:1.6em}h2{margin-top:2em;border-bottom:1px solid #bbb}
table{border-collapse:collapse;font-size:13px;margin:.5em 0 1em}th,td{border:1px solid #ccc;padding:2px 7px;vertical-align:top}
th{background:#eee;text-align:left}td.n{text-align:right;font-variant-numeric:tabular-nums}.wide{overflow-x:auto}
figure{margin:1em 0}figcaption{font-size:13px;color:#333}figure svg{max-width:100%;height:auto}
summary{cursor:pointer;font-weight:600;margin:.4em 0}"""


@dataclasses.dataclass
class Part:
    """One of: title, heading, text (a paragraph), list (of sentences), table (a Table), picture (svg, caption)."""
    kind: str
    content: object


def markdown(parts: list[Part]) -> str:
    lines = []
    for part in parts:
        match part.kind:
            case "title":
                lines.append(f"# {part.content}\n")
            case "heading":
                lines.append(f"## {part.content}\n")
            case "list":
                lines += [f"- {text}" for text in part.content] + [""]
            case "table":
                lines.append(table_markdown(part.content))
            case "picture":
                lines.append(f"*{part.content[1]}* (The picture is in report.html.)\n")
            case _:
                lines.append(f"{part.content}\n")
    return "\n".join(lines)


def table_markdown(table: Table) -> str:
    def line(cells):
        return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"
    rule = "|" + "|".join("---" if table.holds_words(k) else "---:" for k in range(len(table.head))) + "|"
    before = [table.before, ""] if table.before else []
    return "\n".join([f"### {table.title}", "", *before, line(table.head), rule, *map(line, table.rows)]) + "\n"


def words(text: str) -> str:
    """Escaped; `code` and **strong** as in Markdown."""
    parts = html.escape(text, quote=False).split("`")
    found = "".join(f"<code>{part}</code>" if k % 2 else part for k, part in enumerate(parts))
    return "".join(f"<strong>{part}</strong>" if k % 2 else part for k, part in enumerate(found.split("**")))


def page(parts: list[Part]) -> str:
    title = next(part.content for part in parts if part.kind == "title")
    lines = ["<!doctype html>", '<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">',
             f"<title>{html.escape(title)}</title><style>{STYLE}</style></head><body>"]
    for part in parts:
        match part.kind:
            case "title":
                lines.append(f"<h1>{words(part.content)}</h1>")
            case "heading":
                lines.append(f"<h2>{words(part.content)}</h2>")
            case "list":
                lines.append("<ul>" + "".join(f"<li>{words(text)}</li>" for text in part.content) + "</ul>")
            case "table":
                lines.append(table_html(part.content))
            case "picture":
                lines.append(f"<figure>{part.content[0]}<figcaption>{words(part.content[1])}</figcaption></figure>")
            case _:
                lines.append(f"<p>{words(part.content)}</p>")
    return "\n".join(lines) + "\n</body></html>\n"


def table_html(table: Table) -> str:
    head = "".join(f"<th>{words(cell)}</th>" for cell in table.head)
    rows = "".join("<tr>" + "".join(f"<td>{words(cell)}</td>" if table.holds_words(k) else f'<td class="n">{words(cell)}</td>'
                                    for k, cell in enumerate(row)) + "</tr>\n" for row in table.rows)
    before = f"<p>{words(table.before)}</p>" if table.before else ""
    shown = " open" if table.open else ""
    return (f"<details{shown}><summary>{words(table.title)}</summary>{before}"
            f'<div class="wide"><table><tr>{head}</tr>\n{rows}</table></div></details>')
