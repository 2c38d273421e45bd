"""The names of all benchmarks, what each measures, and where it is."""

from __future__ import annotations

from typing import NamedTuple


class Benchmark(NamedTuple):
    """Where a benchmark is (module:function), what it measures, and what else must be installed for it."""

    place: str
    about: str
    needs: str = ""
    install: str = ""

    @property
    def module(self) -> str:
        """The module it is in."""
        return self.place.partition(":")[0]


BOURSE = "pip install 'delever[bench]'"
PAMS = "pip install --no-deps pams==0.3.0 tqdm"  # it asks for numpy below 2, and works with 2

BENCHMARKS = {
    "book": Benchmark("book:book", "order book alone, 1 M messages"),
    "book_bourse": Benchmark("book:book_bourse", "bourse, the same flow in NumPy batches", "bourse", BOURSE),
    "book_python": Benchmark("book:book_python", "a book in plain Python, the same flow"),
    "path_1k": Benchmark("path:path_1k", "the same flow with accounts, margin, settlement, marks: 1 k accounts"),
    "path_100k": Benchmark("path:path_100k", "100 k accounts"),
    "path_1m": Benchmark("path:path_1m", "1 M accounts"),
    "storm": Benchmark("storm:storm", "20 k of 100 k leveraged accounts liquidated in one minute"),
    "crash_1k": Benchmark("worlds:crash_1k", "black-thursday with 1 k traders, all 52 hours"),
    "crash_10k": Benchmark("worlds:crash_10k", "black-thursday with 10 k traders, all 52 hours"),
    "crash_100k": Benchmark("worlds:crash_100k", "black-thursday with 100 k traders, 15 hours of it"),
    "crash_1m": Benchmark("worlds:crash_1m", "black-thursday with 1 M traders, 2 hours of it"),
    "agents_bourse": Benchmark("peers:agents_bourse", "bourse driven by its Python agents", "bourse", BOURSE),
    "agents_pams": Benchmark("peers:agents_pams", "PAMS with its own agents", "pams", PAMS),
    "calm_day": Benchmark("worlds:calm_day", "calm, 86,400 steps of a second, 10 k traders"),
    "help": Benchmark("start:show_help", "delever --help"),
    "first_figure_warm": Benchmark("start:first_figure_warm", "delever run flash-shock, kernels compiled before"),
    "first_figure_cold": Benchmark("start:first_figure_cold", "the same with an empty cache of kernels"),
    "sweep_overhead": Benchmark("sweep:overhead", "what a run of delever compare costs beside its steps"),
    "sweep_efficiency": Benchmark("sweep:efficiency", "one process against two on the same runs"),
    "sweep_memory": Benchmark("sweep:memory", "growth of a worker between its 100th and 500th run"),
    "report": Benchmark("start:report", "delever report on a stored run"),
}
