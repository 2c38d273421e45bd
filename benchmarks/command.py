"""The command `delever bench`. Nothing heavy is imported before it runs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter

bench_app = App(name="bench", help_format="markdown")


@bench_app.default
def bench(
    *,
    only: Annotated[
        list[str] | None,
        Parameter(consume_multiple=True, negative=(), help="Names of the benchmarks to run, instead of all."),
    ] = None,
    runs: Annotated[int, Parameter(help="How often each is run; the median is printed.")] = 3,
    json: Annotated[
        Path | None, Parameter(help="File for the figures: a JSON list with one object for each line of the table.")
    ] = None,
    markdown: Annotated[
        bool,
        Parameter(negative=(), show_default=False, help="Print the table as Markdown, with date, machine and command."),
    ] = False,
    scale: Annotated[
        float, Parameter(help="Share of the full size of everything, to try a benchmark; figures do not compare.")
    ] = 1.0,
) -> int:
    """Measure how fast delever is on this machine, in rounds, each run in a process of its own.

    Every time is also given as a ratio to two loops that run before and after it in the same process: how many
    iterations of a small integer loop, compiled like the engine's kernels ("kernel loop x"), or in plain Python
    ("Python loop x"), take as long as one of what is counted (a command, a message), or as the whole where seconds are
    counted. The ratio depends less on the machine than the time; a smaller one is better.

    Peers are measured where they are installed: pip install 'delever[bench]' for bourse.

    For example:

        delever bench --only book book_bourse
        delever bench --json figures.json --runs 5
        delever bench growth --out growth.png
    """
    from .suite import bench

    return bench(only or [], runs, scale, json, markdown)


@bench_app.command
def growth(
    *,
    out: Annotated[Path, Parameter(help="File of the picture; what its name ends in is the format.")],
    runs: Annotated[int, Parameter(help="How often each size is measured; the median is drawn.")] = 3,
    scale: Annotated[float, Parameter(help="Share of the full size, to try it.")] = 1.0,
) -> int:
    """Measure how cost grows in accounts, markets, traders, steps and liquidations, and draw it on log-log axes.

    For example:

        delever bench growth --out docs/growth.png
    """
    from .growth import draw_growth

    return draw_growth(out, runs, scale)
