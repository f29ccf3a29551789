"""`report`: one page of HTML for any number of runs; it needs nothing beside it."""

from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

import msgspec

from benchmarks import plots
from benchmarks.judge import Fault, upper_bound
from benchmarks.plots import Picture
from benchmarks.report import fairness_told
from benchmarks.store.run import StoreResult
from benchmarks.store.showing import figures_of
from benchmarks.tally import Fairness

WHAT = {
    "chat": "Visitors and agents talk; every message is accounted for.",
    "idle": "Memory of connections at rest.",
    "storm": "All connections are dropped at once: how long until everybody is back.",
    "visitors": "A crowd moves over the pages of the sites, and agents look on.",
    "noisy": "One client floods: what the others notice of it.",
    "store": "A large history: appending to it, and looking back.",
    "flat": "Whether a message's cost stays, with more people and more history.",
    "crash": "Server or database are killed under load, again and again.",
    "incident": "Everything that goes wrong, at once.",
    "soak": "People come and go for long: what grows meanwhile.",
    "compare": "The same work on what people would pick instead.",
}
COMMON = ("machine", "versions", "command")
"""Keys that every run has, told once."""
TOLD = ("faults", "judge", "bounds_95", "generator_limited", "failures")
"""Keys that are told in a form of their own."""
OF = {
    "behind_at_the_end": ("visitors", "agents"),
    "pages_not_taken": ("pages_reported",),
    "above_twice": ("visitors",),
    "incomplete": ("queries",),
    "unexpected": ("acknowledged",),
}
"""Counts of what should not happen, and beside them how often it could have."""
ROWS_MAX = 60
ITEMS_MAX = 20
ACROSS_MAX = 6
"""Fewer rows than that, with more columns, are told across."""
LONG = 40
"""Characters of a cell that may be broken into lines."""
MEMORY = {
    "idle_kib_per_connection": "kefu",
    "idle_kib_per_held_poll": "kefu, a poll held",
    "echo_kib_per_connection": "bare echo",
}
STYLE = Path(__file__).with_name("report.css")

Run = dict[str, Any]


class ReportError(Exception):
    """A file is no run's; says which."""


def load_runs(files: Sequence[Path]) -> dict[str, Run]:
    """Return the runs by the names of their files.

    Raises:
        ReportError: One cannot be read, or is of something else.
    """
    runs: dict[str, Run] = {}
    for file in files:
        try:
            found = msgspec.json.decode(file.read_bytes())
        except (OSError, msgspec.DecodeError) as error:
            raise ReportError(f"{file} cannot be read: {error}") from error
        if not isinstance(found, dict) or "command" not in found:
            raise ReportError(f"{file} was not written by a benchmark's --json.")
        name = file.stem
        while name in runs:
            name += "′"
        runs[name] = found
    return runs


def make_report(runs: Mapping[str, Run], *, made: str) -> str:
    """Return the page. `made` says when it was made."""
    bad = {name: run for name, run in runs.items() if "failed" in run}
    good = {name: run for name, run in runs.items() if name not in bad}
    style = STYLE.read_text("utf-8")
    body = ["<h1>kefu, measured</h1>", f'<p class="dim">{escape(made)}</p>']
    body.append(_p(f"{len(runs)} runs" + (f", {len(bad)} without figures" * bool(bad))))
    body += [_failed(name, run) for name, run in bad.items()]
    body.append(_promise(good))
    body += _overview(good)
    body.append(_machine(runs))
    for name, run in good.items():
        body += _section(name, run)
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width">'
        f"<title>kefu, measured</title><style>{style}</style></head><body>"
        + "\n".join(body)
        + "</body></html>\n"
    )


# -- what stands above all -------------------------------------------------------------


def _failed(name: str, run: Run) -> str:
    said = "".join(f'<p class="bad">{escape(str(one))}</p>' for one in run["failed"])
    return f"<h3>{escape(name)}: no figures</h3><code>{_command(run)}</code>{said}"


def _promise(runs: Mapping[str, Run]) -> str:
    """Return the judge's table: each nought with what it is worth."""
    judged = {name: one for name, run in runs.items() if (one := _judged(run))}
    if not judged:
        return ""
    names = [*Fault]
    head = ["", "acknowledged", *names, "below, a message", "below, a kill"]
    rows, total, found = [], 0, dict.fromkeys(names, 0)
    for name, (trials, faults, kills) in judged.items():
        counts = [faults.get(fault, 0) for fault in names]
        for fault, count in zip(names, counts, strict=True):
            found[fault] += count
        total += trials
        worth = [bound(trials), bound(kills) if kills else ""]
        rows.append([name, trials, *map(_mark, counts), *worth])
    if len(rows) > 1:
        counts = [*found.values()]
        rows.append(["all together", total, *map(_mark, counts), bound(total), ""])
    return (
        "<h2>Was anything lost, doubled or out of order?</h2>"
        + _p(
            "The judge compares what senders were told, the rows of the database and "
            "what every reader was shown. After n trials without a fault its chance "
            "is, at 95 %, below some 3 in n: the last columns."
        )
        + _table(head, rows)
    )


def _judged(run: Run) -> tuple[int, Mapping[str, int], int] | None:
    """Return trials, faults and kills of a run that the judge has seen."""
    details = run.get("details", {})
    faults = run.get("faults", run.get("judge", details.get("faults")))
    if not isinstance(faults, dict):
        return None
    messages = run.get("messages", run)
    trials = messages.get("acknowledged", 0)
    return trials, faults, len(details.get("rounds", []))


def _mark(count: int) -> "Cell":
    return Cell(f"{count:,}", "bad" if count else "good")


def _overview(runs: Mapping[str, Run]) -> list[str]:
    """Return the pictures that hold several runs beside each other."""
    talks, memory, storms = {}, {}, {}
    for name, run in runs.items():
        if _is_latency(run.get("latency_ms")) and _word(run) == "chat":
            talks[name] = run["latency_ms"]
        kib = {says: run[key] for key, says in MEMORY.items() if run.get(key)}
        if kib and "connections" in run:
            memory[name] = kib
        if "all_back_s" in run:
            storms[name] = {
                "all answered": run["all_live_s"],
                "all caught up": run["all_back_s"],
            }
    drawn = []
    if talks:
        drawn.append(plots.bars("latency of a message, ms", talks, is_log=True))
    if memory:
        drawn.append(plots.bars("memory of a connection at rest, KiB", memory))
    if storms:
        drawn.append(plots.bars("after everybody was dropped, seconds", storms))
    return ["<h2>Side by side</h2>", *map(_picture, drawn)] if drawn else []


def _machine(runs: Mapping[str, Run]) -> str:
    """Return what the figures depend on: what differs between runs, of each."""
    parts = ["<h2>Machine and versions</h2>"]
    for key in ("machine", "versions"):
        whole: dict[str, dict[str, str]] = {}
        for name, run in runs.items():
            for what, value in run.get(key, {}).items():
                whole.setdefault(what, {})[name] = _text(value)
        rows: list[list[object]] = []
        for what, values in whole.items():
            if len(set(values.values())) == 1:
                rows.append([_words(what), next(iter(values.values()))])
            else:
                each = ", ".join(f"{name} {value}" for name, value in values.items())
                rows.append([_words(what), each])
        parts.append(_table(["", ""], rows))
    return "".join(parts)


# -- a run -----------------------------------------------------------------------------


def _section(name: str, run: Run) -> list[str]:
    command = _word(run)
    parts = [f"<h2>{escape(name)}</h2>", _p(WHAT.get(command, ""))]
    parts.append(f"<code>{_command(run)}</code>")
    limited = run.get("generator_limited")
    if limited:
        why = limited if isinstance(limited, str) else "it filled a core"
        parts.append(
            f'<p class="bad">The load generator was the limit: {escape(why)}. These '
            "figures are its own as much as the server's.</p>"
        )
    machine = run.get("machine", {})
    if machine.get("load_1min_before", 0) > machine.get("cores", 0):
        parts.append(
            '<p class="bad">The machine had other work: its load was '
            f"{machine['load_1min_before']} on {machine['cores']} cores before.</p>"
        )
    for failure in run.get("failures") or ():
        parts.append(f'<p class="bad">{escape(str(failure))}</p>')
    if command == "store":
        result = msgspec.convert(run, StoreResult)
        parts += map(_picture, plots.pictures_of(figures_of(result)))
    if run.get("seconds") and isinstance(run["seconds"], list):
        parts.append(_picture(plots.seconds(run["seconds"])))
    transports = run.get("by_transport")
    if isinstance(transports, dict):
        lines = {
            transport: one["curve_ms"]
            for transport, one in transports.items()
            if one["curve_ms"]
        }
        parts.append(_picture(plots.curves(lines)) if lines else "")
    for who, one in (run.get("fairness") or {}).items():
        fairness = msgspec.convert(one, Fairness)
        kind = "good" if fairness.is_met else "bad"
        told = escape(f"{who}: {fairness_told(fairness)}")
        parts.append(f'<p class="{kind}">{told}</p>')
    shown = {
        key: value
        for key, value in run.items()
        if key not in (*COMMON, *TOLD, "details")
        and not (key == "seconds" and isinstance(value, list))
    }
    parts += _values(shown)
    if run.get("details"):
        parts.append("<details><summary>What else was measured</summary>")
        hidden = {
            key: value
            for key, value in run["details"].items()
            if key not in ("faults", "bounds_95")
        }
        parts += [*_values(hidden), "</details>"]
    return parts


def _values(values: Mapping[str, Any]) -> list[str]:
    """Return plain values in one table, and each of the others in one of its own."""
    plain: list[list[object]] = []
    parts = []
    for key, value in values.items():
        if isinstance(value, dict) and value and not _is_latency(value):
            parts += [f"<h3>{escape(_words(key))}</h3>", _mapping(value)]
        elif isinstance(value, list) and value and isinstance(value[0], dict):
            parts += [f"<h3>{escape(_words(key))}</h3>", _list(value)]
        elif value not in (None, {}, []):
            plain.append([_titled(key, value), _cell(key, value, values)])
    return [_table(["", ""], plain) if plain else "", *parts]


def _mapping(value: Mapping[str, Any]) -> str:
    if all(isinstance(one, dict) and not _is_latency(one) for one in value.values()):
        rows = [{"": name} | _flat(one) for name, one in value.items()]
        if len(rows) < ACROSS_MAX < len(rows[0]):
            return _across(rows)
        return _list(rows)
    if all(isinstance(one, list) for one in value.values()):
        lists = [[name, *map(_text, one)] for name, one in value.items()]
        return _table([""] * max(map(len, lists)), lists)
    pairs = [[_titled(key, one), _cell(key, one, value)] for key, one in value.items()]
    return _table(["", ""], pairs)


def _across(rows: Sequence[Mapping[str, Any]]) -> str:
    """Return a table with a column for each row: they are few and long."""
    names = [str(row[""]) for row in rows]
    keys = [key for key in rows[0] if key]
    lines: list[list[object]] = [
        [_titled(key, rows[0][key]), *(_cell(key, row.get(key), row) for row in rows)]
        for key in keys
    ]
    return _table(["", *names], lines)


def _list(rows: Sequence[Mapping[str, Any]]) -> str:
    flat = [_flat(row) for row in rows[:ROWS_MAX]]
    keys = list(dict.fromkeys(key for row in flat for key in row))
    cells = [[_cell(key, row.get(key), row) for key in keys] for row in flat]
    left = len(rows) - len(flat)
    more = _p(f"and {left} more, in the file") if left > 0 else ""
    return _table([_titled(key, flat[0].get(key)) for key in keys], cells) + more


def _flat(row: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in row.items():
        if key == "messages" and isinstance(value, dict):
            found |= value
        elif key != "curve_ms":
            found[key] = value
    return found


# -- values ----------------------------------------------------------------------------


class Cell(msgspec.Struct, frozen=True):
    """A text with a class of the style."""

    text: str
    kind: str = ""


def bound(trials: int) -> str:
    """Return what a nought after so many trials excludes, as a percentage."""
    return f"{100 * upper_bound(trials):.2g} %"


def nought(trials: int) -> str:
    """Return a nought with what it is worth."""
    return f"0 of {trials:,} (below {bound(trials)})"


def _cell(key: str, value: object, beside: Mapping[str, Any]) -> Cell:
    """Return a value; a nought that is good news with its trials."""
    is_count = isinstance(value, int) and not isinstance(value, bool)
    is_fault = key in (*Fault, *OF)
    if is_count and is_fault:
        trials = sum(beside.get(of, 0) for of in OF.get(key, ("acknowledged",)))
        if value == 0 and trials:
            return Cell(nought(trials), "good")
        return Cell(_text(value), "bad" if value and key in (*Fault,) else "")
    return Cell(_text(value))


def _is_latency(value: object) -> bool:
    return isinstance(value, dict) and value.keys() == {"p50", "p95", "p99"}


def _text(value: object) -> str:
    match value:
        case None:
            return "–"
        case bool():
            return "yes" if value else "no"
        case int():
            return f"{value:,}"
        case float():
            return f"{value:,.4g}" if abs(value) < 10_000 else f"{value:,.0f}"
        case dict() if _is_latency(value):
            return " / ".join(_text(value[key]) for key in ("p50", "p95", "p99"))
        case dict():
            return ", ".join(f"{_words(str(k))} {_text(v)}" for k, v in value.items())
        case list() | tuple():
            left = len(value) - ITEMS_MAX
            more = f", and {left} more" if left > 0 else ""
            return ", ".join(map(_text, value[:ITEMS_MAX])) + more or "–"
        case _:
            return str(value)


def _titled(key: str, value: object) -> str:
    return _words(key) + (" (p50 / p95 / p99)" if _is_latency(value) else "")


def _words(key: str) -> str:
    return key.replace("_", " ")


def _word(run: Run) -> str:
    """Return which command it was."""
    words = str(run["command"]).split()
    return words[3] if len(words) > 3 else ""


def _command(run: Run) -> str:
    return escape(str(run["command"]))


def _p(text: str) -> str:
    return f'<p class="dim">{escape(text)}</p>' if text else ""


def _table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    parts = ['<div class="wide"><table>']
    if any(head):
        parts.append("<tr>" + "".join(f"<th>{escape(one)}</th>" for one in head))
    for row in rows:
        parts.append("<tr>")
        for one in row:
            cell = one if isinstance(one, Cell) else Cell(_text(one))
            long = " long" if len(cell.text) > LONG else ""
            kind = f' class="{cell.kind}{long}"' if cell.kind or long else ""
            parts.append(f"<td{kind}>{escape(cell.text)}</td>")
    return "".join([*parts, "</table></div>"])


def _picture(picture: Picture) -> str:
    data = "data:image/png;base64,"
    return (
        f'<picture><source media="(prefers-color-scheme: dark)" '
        f'srcset="{data}{picture.dark}">'
        f'<img alt="{escape(picture.says)}" src="{data}{picture.light}"></picture>'
    )
