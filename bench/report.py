"""From samples to two Markdown tables: what was measured, and which budgets are met."""

from __future__ import annotations

import datetime as dt
import os
import platform
import statistics
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from bench.contestants import BENCH_SERVER

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SMALL = "small call"
SMALL_ALL_CORES = "small call, on all cores"
PIPELINED = "pipelined"
LARGE, HUGE = "100 KB", "10 MB"
MEMORY = "memory"
MB = 1_000_000
SIZES = {LARGE: 100_000, HUGE: 10 * MB}
START = f"initialize, {BENCH_SERVER.title}"


@dataclass
class Results:
    """Everything measured in one run; times in seconds, one inner list for each round."""

    names: list[str] = field(default_factory=list)
    """Contestants in the order of the columns."""
    missing: dict[str, str] = field(default_factory=dict)
    """Contestants that cannot run here, and why."""
    versions: list[str] = field(default_factory=list)
    """Names and versions of what is compared."""
    failures: dict[tuple[str, str], str] = field(default_factory=dict)
    """(row, contestant) -> what went wrong; there are no figures for it then."""
    rounds: dict[str, dict[str, list[list[float]]]] = field(default_factory=dict)
    """Row -> contestant -> round -> samples."""
    setup: list[float] = field(default_factory=list)
    """From the first message to a proved sandbox, for each start of the guard."""
    yardstick: list[float] = field(default_factory=list)
    """Spawn to exit of a bare interpreter."""
    load_before: float = 0.0
    """Load average of the last minute when the run began."""
    memory: dict[str, tuple[int, int, int]] = field(default_factory=dict)
    """Contestant -> resident bytes before, after, and the number of calls between."""

    def add(self, row: str, name: str, samples: list[float]) -> None:
        """Keep the samples of one round of one contestant."""
        self.rounds.setdefault(row, {}).setdefault(name, []).append(samples)

    def has(self, row: str, *names: str) -> bool:
        """Tell whether `row` has figures from every round for all of `names`, and for bare."""
        figures = self.rounds.get(row, {})
        expected = max((len(rounds) for rounds in figures.values()), default=0)
        return expected > 0 and all(len(figures.get(name, ())) == expected for name in ("bare", *names))

    def medians(self, row: str, name: str) -> list[float]:
        """Return the median of each round."""
        return [statistics.median(samples) for samples in self.rounds[row][name]]

    def pooled(self, row: str, name: str) -> list[float]:
        """Return all samples of a row."""
        return [sample for samples in self.rounds[row][name] for sample in samples]

    def p50(self, row: str, name: str) -> float:
        """Return the median over all samples of a row."""
        return statistics.median(self.pooled(row, name))

    def added(self, row: str, name: str) -> list[float]:
        """Return for each round what `name` adds to bare."""
        pairs = zip(self.medians(row, name), self.medians(row, "bare"), strict=True)
        return [mine - bare for mine, bare in pairs]

    def ratios(self, row: str, name: str, other: str) -> list[float]:
        """Return for each round how many times as long `name` takes as `other`."""
        pairs = zip(self.medians(row, name), self.medians(row, other), strict=True)
        return [mine / base for mine, base in pairs]

    def linearity(self, name: str) -> float:
        """Return the time for a byte at 10 MB over that at 100 KB; 1 is linear, 100 quadratic."""
        return (self.p50(HUGE, name) / SIZES[HUGE]) / (self.p50(LARGE, name) / SIZES[LARGE])


def _quantile(values: list[float], share: float) -> float:
    """Return the sample below which `share` of the `values` lie."""
    return sorted(values)[min(len(values) - 1, int(len(values) * share))]


def _spread(values: list[float], unit: str) -> str:
    """Return the median and, in brackets, the range of the middle half."""
    low, middle, high = _quantile(values, 0.25), statistics.median(values), _quantile(values, 0.75)
    return f"{middle:.2f}{unit} ({low:.2f} to {high:.2f})"


def _duration(seconds: float) -> str:
    value = seconds * 1000
    return f"{value:.0f} ms" if value >= 100 else f"{value:.1f} ms" if value >= 1 else f"{value * 1000:.0f} µs"


def _table(rows: list[list[str]]) -> str:
    """Return a Markdown table, padded so that it reads as plain text too."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    rows = [rows[0], ["-" * width for width in widths], *rows[1:]]
    cells = ([cell.ljust(width) for cell, width in zip(row, widths, strict=True)] for row in rows)
    return "".join(f"| {' | '.join(row)} |\n" for row in cells)


def _figures(results: Results) -> Iterator[list[str]]:
    """Yield the rows of the first table."""

    def line(title: str, row: str, cell: Callable[[str, str], str]) -> list[str]:
        cells = []
        for name in results.names:
            if name in results.memory if row == MEMORY else results.has(row, name):
                cells.append(cell(row, name))
            else:
                failed = "failed" if (row, name) in results.failures else "-"
                cells.append(results.missing.get(name, failed))
        return [title, *cells]

    def p50(row: str, name: str) -> str:
        return _duration(results.p50(row, name))

    def fastest(row: str, name: str) -> str:
        return _duration(min(results.pooled(row, name)))

    def p99(row: str, name: str) -> str:
        return _duration(_quantile(results.pooled(row, name), 0.99))

    def added(row: str, name: str) -> str:
        if name == "bare":
            return "-"
        value = statistics.median(results.added(row, name))
        return f"{'-' if value < 0 else '+'}{_duration(abs(value))}"

    def rate(row: str, name: str) -> str:
        return f"{1 / results.p50(row, name):,.0f}/s"

    def linearity(_row: str, name: str) -> str:
        return f"{results.linearity(name):.2f}" if results.has(LARGE, name) else "-"

    def memory(_row: str, name: str) -> str:
        return f"{results.memory[name][0] / MB:.1f} MB"

    def growth(_row: str, name: str) -> str:
        before, after, calls = results.memory[name]
        return f"{(after - before) / MB:+.2f} MB in {calls:,}"

    yield ["", *results.names]
    for row in results.rounds:
        if row.startswith(("initialize", "first tools/list")):
            yield line(f"{row}, p50", row, p50)
            yield line("... added", row, added)
            yield line("... fastest", row, fastest)
    for row in (SMALL, SMALL_ALL_CORES):
        yield line(f"{row}, p50", row, p50)
        yield line("... added p50", row, added)
        yield line("... p99", row, p99)
    yield line("pipelined calls", PIPELINED, rate)
    for row in SIZES:
        yield line(f"{row} result, p50", row, p50)
    yield line("time for a byte, 10 MB / 100 KB", HUGE, linearity)
    yield line("resident memory after 1,000 calls", MEMORY, memory)
    yield line("... growth in further calls", MEMORY, growth)


def _judge(figure: str, *, met: bool) -> list[str]:
    return [figure, "met" if met else "**missed**"]


def _budgets(results: Results) -> Iterator[list[str]]:
    """Yield the rows of the second table; a budget whose contestants are absent says so."""

    def absent(row: str) -> list[str]:
        """Return what stands where there is nothing to judge: a guard that fails has not met its budget."""
        failed = (row, "guard") in results.failures
        return ["the guard failed: see above", "**missed**"] if failed else ["not measured in this run", ""]

    yield ["budget", "limit", "measured", ""]

    cells = absent(START)
    if results.has(START, "guard"):
        unit = statistics.median(results.yardstick)
        values = [added / unit for added in results.added(START, "guard")]
        best = min(results.pooled(START, "guard")) - min(results.pooled(START, "bare"))
        ratio = best / min(results.yardstick)
        cells = _judge(f"{ratio:.2f} x in the fastest runs; {_spread(values, ' x')}", met=ratio <= 3)
    yield ["added time to the answer of `initialize`", "3 x `python3 -I -c pass`", *cells]

    cells = absent(SMALL)
    if results.has(SMALL, "guard", "relay"):
        pairs = zip(results.added(SMALL, "guard"), results.added(SMALL, "relay"), strict=True)
        values = [guard / relay for guard, relay in pairs]
        cells = _judge(_spread(values, " x"), met=statistics.median(values) <= 2)
    yield ["added p50 of a small call", "2 x what the relay adds", *cells]

    cells = absent(SMALL)
    if results.has(SMALL, "guard", "fastmcp"):
        guard, peer = (statistics.median(results.added(SMALL, name)) for name in ("guard", "fastmcp"))
        cells = _judge(f"{_duration(guard)} against {_duration(peer)}", met=guard < peer)
    yield ["added p50 of a small call", "below FastMCP's proxy", *cells]

    cells = absent(PIPELINED)
    if results.has(PIPELINED, "guard", "relay"):
        values = [100 * ratio for ratio in results.ratios(PIPELINED, "relay", "guard")]
        cells = _judge(_spread(values, " %"), met=statistics.median(values) >= 60)
    yield ["rate of pipelined small calls", "60 % of the relay's", *cells]

    cells = absent(LARGE)
    if results.has(LARGE, "guard", "relay"):
        values = results.ratios(LARGE, "guard", "relay")
        cells = _judge(_spread(values, " x"), met=statistics.median(values) <= 3)
    yield ["p50 of a 100 KB result", "3 x the relay's", *cells]

    cells = absent(HUGE)
    if results.has(LARGE, "guard") and results.has(HUGE, "guard"):
        value = results.linearity("guard")
        cells = _judge(f"{value:.2f} x the time for a byte at 100 KB", met=value <= 2)
    yield ["10 MB result in linear time", "2 x", *cells]

    cells = growth = absent(MEMORY)
    if "guard" in results.memory:
        before, after, calls = results.memory["guard"]
        cells = _judge(f"{max(before, after) / MB:.1f} MB", met=max(before, after) < 30 * MB)
        growth = _judge(f"{(after - before) / MB:+.2f} MB in {calls:,} calls", met=after - before <= MB)
        if calls < 100_000:
            growth[1] = "not judged: a quick run"
    yield ["resident memory", "30 MB", *cells]
    yield ["its growth over 100,000 calls", "none (1 MB)", *growth]
    cells = ["not measured in this run", ""]
    if results.setup:
        cells = _judge(
            f"{_spread([1000 * value for value in results.setup], ' ms')}", met=statistics.median(results.setup) <= 0.015
        )
    yield ["set-up of the sandbox, probes included", "15 ms", *cells]
    cells = absent(START)
    if results.has(START, "guard", "srt"):
        pairs = zip(results.added(START, "guard"), results.added(START, "srt"), strict=True)
        values = [100 * guard / srt for guard, srt in pairs]
        cells = _judge(_spread(values, " %"), met=statistics.median(values) <= 25)
    yield ["added start-up against that of `srt`", "25 %", *cells]
    yield ["locked package against `npx -y`, `uvx`", "faster", "not measured: nothing is locked yet", ""]


def _machine(results: Results) -> str:
    """Describe the machine in one paragraph."""
    cpu = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        lines = cpuinfo.read_text().splitlines()
        cpu = next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), cpu)
    elif platform.system() == "Darwin":
        command = ["sysctl", "-n", "machdep.cpu.brand_string"]
        cpu = subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip() or cpu
    cores = os.cpu_count() or 1
    busy = "busy with other work, so expect wide ranges" if results.load_before > cores / 4 else "idle"
    return (
        f"{cpu}, {cores} cores, {platform.system()} {platform.release()}, "
        f"{platform.python_implementation()} {platform.python_version()};\n{', '.join(results.versions) or 'nothing to compare with'}. "
        f"Load average before the run: {results.load_before:.1f} ({busy})."
    )


def render(results: Results, *, quick: bool, took: float) -> str:
    """Return the whole report as Markdown."""
    today = dt.datetime.now(tz=dt.UTC).date()
    command = "python -m bench.session" + (" --quick" if quick else "")
    failures = "".join(f"- {name}, {row}: {error}\n" for (row, name), error in results.failures.items())
    return (
        "# The session benchmark\n\n"
        f"Printed by `{command}` on {today} in {took:.0f} s. How each figure is measured, and how noise is\n"
        "kept out, is at the top of `bench/session.py`. Only ratios and differences within one run mean\n"
        "anything. In brackets: the range of the middle half of the rounds. A yardstick (`python3 -I -c pass`) took\n"
        f"{_duration(statistics.median(results.yardstick))} here, {_duration(min(results.yardstick))} at its fastest.\n\n"
        f"Machine: {_machine(results)}\n\n"
        f"## Figures\n\n{_table(list(_figures(results)))}\n"
        + (f"Failed:\n\n{failures}\n" if failures else "")
        + f"## Budgets\n\n{_table(list(_budgets(results)))}"
    )
