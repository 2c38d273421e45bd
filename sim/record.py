"""The stored run of each venue of a world: a folder, a manifest, tables, a summary.

The main venue's is the run folder itself; a venue beside it has the same files in `venues/NAME/` below it.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from delever.engine.rules.io import rules_hash

from .model import MarketModel
from .money import lot_size
from .output import OutputError, OutputFolder, reason
from .recorder import JOURNAL_TABLES, TABLES, Owners, Recorder
from .site import Site

MANIFEST, SUMMARY, VENUES = "manifest.json", "summary.json", "venues"
STALE = (*(f"{name}.parquet" for name in (*TABLES, *JOURNAL_TABLES)), MANIFEST, SUMMARY)


class Record:
    """What is kept of one venue of a run; without a folder only its summary."""

    def __init__(self, model: MarketModel, site: Site, path: Path | None, journal: bool) -> None:
        """Begin the record of a venue that has processed its opening only. Raises OutputError."""
        self.site, self.path = site, path
        self.folder = None if path is None else OutputFolder(path, STALE)
        roster = site.roster
        names = [place.member.name for place in roster.places]
        self.recorder = Recorder(
            site.venue,
            Owners(names, roster.place_of_row(), roster.backstops()),
            dt_s=model.scenario.dt_s,
            record_every_steps=model.scenario.record_every_steps,
            folder=self.folder,
            journal=journal,
        )
        self._manifest: dict[str, Any] = {}

    def begin(self, common: Mapping[str, Any]) -> None:
        """Write the manifest, with what it has in `common` with those of other venues, and listen from now on."""
        if self.folder is not None:
            files = [*(f"{name}.parquet" for name in self.recorder.writers), SUMMARY]
            self._manifest = {**common, **_told(self.site), "files": files, "finished": False}
            self.folder.write_json(MANIFEST, self._manifest)
        self.site.listen(self.recorder.take)

    def after_step(self) -> None:
        """Take the end of a step."""
        self.recorder.after_step(self.site.report, self.site.arrived)

    def finish(self) -> OutputError | None:
        """Close the tables; return what went wrong."""
        try:
            self.recorder.finish()
        except OutputError as error:
            return error
        return None

    def summary(self, told: Mapping[str, Any], wall_s: float) -> dict[str, Any]:
        """Return the summary; `told` has scenario and seed of the run."""
        return {
            "scenario": told["scenario"],
            "rules": self.site.rules.name,
            "seed": told["seed"],
            "currency": self.site.money.currency,
            "quote_per_unit": float(self.site.money.quote_per_unit),
            **self.recorder.summary(),
            "commands_per_s": round(self.recorder.counts["commands"] / wall_s, 1),
            "wall_s": round(wall_s, 3),
        }

    def write(self, summary: Mapping[str, Any], *, finished: bool) -> OutputError | None:
        """Write the summary and the last word of the manifest; return what went wrong."""
        if self.folder is None:
            return None
        try:
            self.folder.write_json(SUMMARY, summary)
            self.folder.write_json(MANIFEST, {**self._manifest, "finished": finished})
        except OutputError as error:
            return error
        return None

    def close(self) -> None:
        """Give back what the folder keeps of the disk."""
        if self.folder is not None:
            self.folder.close()


def open_records(model: MarketModel, out: Path | None, journal: bool) -> list[Record]:
    """Return the records of all venues, the main one first; what an earlier run left in `out` is removed.

    Raises OutputError if a folder cannot be written to.
    """
    main, *others = model.sites
    records = [Record(model, main, out, journal)]
    try:
        if out is not None:
            _remove_venues(out / VENUES)
        # One by one: those that were opened are closed if the next cannot be.
        records.extend(Record(model, site, out and out / VENUES / site.name, journal) for site in others)
    except BaseException:
        for record in records:
            record.close()
        raise
    return records


def _remove_venues(folder: Path) -> None:
    """Remove what an earlier run stored of venues that this one may not have, and nothing else."""
    try:
        for venue in sorted(folder.glob("*/")):
            for name in STALE:
                (venue / name).unlink(missing_ok=True)
            _remove_if_empty(venue)
        _remove_if_empty(folder)
    except OSError as error:
        raise OutputError(f"cannot write to the folder {folder}: {reason(error)}") from None


def _remove_if_empty(folder: Path) -> None:
    if folder.is_dir() and not any(folder.iterdir()):
        folder.rmdir()


def _told(site: Site) -> dict[str, Any]:
    """Return what a manifest says of its own venue."""
    return {
        "venue": site.name,
        "rules": site.rules.model_dump(mode="json"),
        "rules_hash": rules_hash(site.rules),
        "markets": [
            {
                "symbol": spec.symbol,
                "tick_size": f"{spec.tick_size:f}",
                "lot_size": f"{lot_size(site.rules.contract, spec):f}",
                "multiplier_atoms": market.multiplier_atoms,
                "price_max_ticks": market.price_max_ticks,
            }
            for spec, market in zip(site.markets, site.venue.markets, strict=True)
        ],
        "money": {
            "currency": site.money.currency,
            "atoms_per_unit": site.money.atoms_per_unit,
            "quote_per_unit": float(site.money.quote_per_unit),
        },
        "cohorts": [
            {
                "name": place.member.name,
                "kind": place.member.kind,
                "first_row": site.roster.first_row(place),
                "count": place.last - place.first,
            }
            for place in site.roster.places
        ],
    }
