"""Writes report.html, results.md and the last of results.json from the cells that were measured. Owns what the report says and in which
order; figures come from columns.py, tables from tables.py, prose from words.py, looks from render.py."""
import pathlib

from . import machine as machines
from . import render, tables, words
from .columns import Reference, reference_rows, value
from .plan import Cell
from .render import Part
from .statistics import figure
from .store import Store, rtmcs, write_whole

QUOTED = (10, 29, 103)  # rates of the summary


def write(out: pathlib.Path, store: Store, cells: list[Cell], facts: dict) -> list[pathlib.Path]:
    """`facts`: of the run, as main.py collects them. -> the files."""
    parts = collect(store, cells, facts)
    paths = [out / "report.html", out / "results.md", out / "results.json"]
    write_whole(paths[0], render.page(parts))
    write_whole(paths[1], render.markdown(parts))
    store.data["missing"] = tables.missing(cells, lambda cell: store.get(cell.key), facts)
    store.write()
    return paths


def collect(store: Store, cells: list[Cell], facts: dict) -> list[Part]:
    measured = [(cell, result) for cell in cells if (result := store.get(cell.key))]
    settings = facts["settings"]
    main = (settings.blocks[0], settings.threads[0], settings.steps[-1])
    rows = [row for cell, result in measured if cell.part == "reference" for row in reference_rows(cell, result)]
    main_rows = [row for row in rows if (row.block, row.threads, row.steps) == main]
    machine = next((result["machine"] for cell, result in measured if cell.part == "machine"), None)
    said = machines.warnings(facts["machine"], facts["state"]) + tables.missing(cells, lambda cell: store.get(cell.key), facts)
    return [Part("title", words.TITLE), Part("list", summary(main_rows) or ["Nothing of the reference network was measured."]),
            Part("text", about(store, facts)),
            Part("heading", "What is missing here, and why"),
            Part("list", said or ["Nothing: all that was planned was measured."]),
            Part("heading", "Pictures"), *pictures(measured, rows, main_rows, machine, settings),
            Part("heading", "The reference network at the rates of the paper's Table II"), Part("text", words.NETWORK),
            Part("list", words.DEFINITIONS),
            *(Part("table", table) for table in tables.reference(measured, main)),
            *rivals(measured, main),
            Part("heading", "What each idea is worth"), Part("text", words.ABLATION),
            *(Part("table", tables.ablation(cell, result)) for cell, result in measured if cell.part == "ablation"),
            *section("What a second thread is worth", words.SCALING, tables.scaling(measured)),
            Part("heading", "What the machine can do"), Part("text", words.LIMITS),
            *(Part("table", table) for table in (tables.limits(machine) if machine else [])),
            Part("heading", "How it was measured"), Part("text", words.HOW)]


def section(heading: str, text: str, found: list[tables.Table]) -> list[Part]:
    """Nothing without a table."""
    return [Part("heading", heading), Part("text", text), *(Part("table", table) for table in found)] if found else []


def rivals(measured: list[tuple[Cell, dict]], main: tuple) -> list[Part]:
    _, threads, steps = main
    parts = [Part("heading", "Dense: what people use today"), Part("text", words.DENSE)]
    for cell, result in measured:
        if cell.part == "dense":
            title = tables.pair_words(cell.threads, cell.steps)
            parts.append(Part("table", tables.rivals(title, result, shown=(cell.threads, cell.steps) == (threads, steps))))
    parts += [Part("heading", "Sparse: other kernels on the same masks"), Part("text", words.SPARSE)]
    for cell, result in measured:
        if cell.part == "sparse":
            title = f"{cell.rate}x, {cell.threads} thread{'s' if cell.threads > 1 else ''}"
            parts.append(Part("table", tables.rivals(title, result, shown=cell.threads == threads)))
    small = [(cell, result) for cell, result in measured if cell.part == "small"]
    if small:
        parts += [Part("heading", "Small real networks, dense"), Part("text", words.SMALL)]
        parts += [Part("table", tables.rivals(f"{cell.network}: {result['what']}", result)) for cell, result in small]
    return parts + section("Matrices that somebody else pruned", words.LYRA, tables.lyra(measured))


def pictures(measured: list[tuple[Cell, dict]], rows: list[Reference], main_rows: list[Reference], machine: dict | None,
             settings) -> list[Part]:
    try:
        from . import pictures as draw
    except ImportError as problem:
        return [Part("text", f"There are none: matplotlib cannot be used ({problem}).")]
    steps, pruned = settings.steps[-1], [(cell, result) for cell, result in measured if cell.part == "ablation"]
    rate, pattern = next(((cell.rate, result["pattern"]) for cell, result in pruned if "runs" in result["pattern"]), ("any rate", None))
    where = f"blocks of {settings.blocks[0]}, {tables.pair_words(settings.threads[0], steps)}"
    fewest = [row for row in rows if row.steps == settings.steps[0]]
    drawn = {"speedups": draw.speedups(main_rows), "roofline": draw.roofline(fewest, machine),
             "phases": draw.phases(main_rows, settings.precisions[-1]), "spy": draw.spy(pattern)}
    parts = []
    for name, svg in drawn.items():
        caption = words.CAPTIONS[name].format(where=where, steps=tables.steps_words(settings.steps[0]),
                                              rate=f"{rate}x" if pattern else rate)
        why = next((result["pattern"]["missing"] for _, result in pruned if "missing" in result["pattern"]), "")
        reason = f" ({why})" if name == "spy" and why else ""
        parts.append(Part("picture", (svg, caption)) if svg else Part("text", f"Not drawn, for want of results{reason}: {caption}"))
    return parts


def summary(rows: list[Reference]) -> list[str]:
    """The result in sentences: the rows that people quote."""
    said = []
    for row in (row for row in rows if row.rate in QUOTED and row.precision == rows[-1].precision and row.step_us is not None):
        over = [(row.over_best, f"the fastest dense peer ({row.best_name})"), (row.over_dense, "our own dense code")]
        if row.f32_name != row.best_name:
            over.insert(1, (row.over_f32, f"the fastest in f32 ({row.f32_name})"))
        known = [f"{figure(known)} x as fast as {name}" for ratio, name in over if (known := value(ratio)) is not None]
        said.append(f"At {row.rate}x in {row.precision} a step takes {figure(row.step_us)} us"
                    + (": " + ", ".join(known) if known else "; no ratio may be printed") + f"; roofline share {figure(row.share)}.")
    return said


def about(store: Store, facts: dict) -> str:
    here, now = facts["machine"], facts["state"]
    dates = sorted({run["date"] for run in store.data["runs"] if run.get("date")})
    return (f"{here['processor']} (family {here['family']}), {machines.count(here['cores'])}, {here['memory_gib']} GiB; {here['caches']}; "
            f"{now['system']}, kernel {now['kernel']}; governor {now['governor']}; huge pages {now['huge_pages']}; load at the start "
            f"{now['load']:.2f}. {rtmcs(store.data['cells'])}. Measured {' and '.join(dates)} with `{facts['command'].strip()}`.")
