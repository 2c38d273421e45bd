"""One self-contained page about one run: the account in plain words, the pictures, the numbers, the terms."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from .errors import whole_file
from .figures import Drawn, draw_run
from .folder import RunFolder
from .story import Chapter, headline, tell
from .summary import flat
from .words import GLOSSARY, MEASURES, count_of, duration, measure_words, written

CARDS = (
    "max_drawdown", "liquidations", "liquidated_notional", "forced_share", "insurance_fund_end", "adl_notional",
    "socialised_loss", "bad_debt",
)  # fmt: skip


def write_report(folder: Path) -> Path:
    """Draw the pictures of the run in `folder` and write `report.html` beside them; return its path.

    Works for runs that were interrupted, and says so on the page. Raises UserError if `folder` is no run.
    """
    run = RunFolder(folder)
    page = render(run, draw_run(run))
    path = folder / "report.html"
    with whole_file(path) as part:
        part.write_text(page, encoding="utf-8")
    return path


def render(run: RunFolder, pictures: list[Drawn]) -> str:
    """Return the page as HTML; text from files is escaped."""
    environment = Environment(
        loader=PackageLoader("delever.experiments"), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    return environment.get_template("report.html").render(page_values(run, pictures))


def page_values(run: RunFolder, pictures: list[Drawn]) -> dict[str, Any]:
    """Return what the template shows, in words."""
    manifest, summary = run.manifest, run.summary
    scenario = manifest["scenario"]
    by_name = {picture.file.stem: picture for picture in pictures}
    return {
        "title": f"{scenario['name']} under the rules {manifest['rules']['name']}",
        "subtitle": _subtitle(run),
        "about": scenario.get("description", "").strip() or scenario.get("title", ""),
        "finished": run.finished,
        "interrupted": _interrupted(run),
        "headline": headline(run),
        "cards": [
            {"label": measure_words(key), "value": written(key, summary[key])} for key in CARDS if key in summary
        ],
        "chapters": [_chapter(chapter, by_name) for chapter in tell(run)],
        "measures": _measures(summary),
        "settings": json.dumps({"scenario": scenario, "rules": manifest["rules"]}, indent=2, ensure_ascii=False),
        "closing_terms": _terms(("conservation error", "initial margin", "funding")),
        "digest": summary.get("digest", ""),
        "origin": f"Made by delever {manifest.get('delever', '')} from a simulated market with invented traders; "
        "it says what these rules do in this scenario, not what any real venue did.",
    }


def _measures(summary: dict[str, Any]) -> list[dict[str, str]]:
    numbers = {k: v for k, v in flat(summary).items() if isinstance(v, (int, float)) and not isinstance(v, bool)}
    refused = sum(int(numbers[key]) for key in numbers if key.startswith("refusals."))
    rows = [{"label": measure_words(key), "value": written(key, numbers[key])} for key in MEASURES if key in numbers]
    return [*rows, {"label": "refused commands", "value": f"{refused:,}"}] if rows else []


def _subtitle(run: RunFolder) -> str:
    traders = sum(int(cohort["count"]) for cohort in run.manifest.get("cohorts", []))
    recorded = int(run.series["time_s"].max()) if len(run.series) else 0
    markets = ", ".join(run.symbols)
    return f"{count_of(traders, 'trader')}, {markets}, {duration(recorded)} of market time, seed {run.manifest['seed']}"


def _interrupted(run: RunFolder) -> str:
    if run.series.empty:
        return "Nothing was recorded before that."
    come_to = duration(int(run.series["time_s"].max()))
    return f"It had come to {come_to} of market time; all that follows is about that part."


def _chapter(chapter: Chapter, pictures: dict[str, Drawn]) -> dict[str, Any]:
    return {
        "heading": chapter.heading,
        "paragraphs": chapter.paragraphs,
        "terms": _terms(chapter.terms),
        "pictures": [_embedded(pictures[name]) for name in chapter.pictures if name in pictures],
    }


def _embedded(picture: Drawn) -> dict[str, str]:
    data = base64.b64encode(picture.file.read_bytes()).decode("ascii")
    return {"title": picture.title, "caption": picture.caption, "data": data}


def _terms(names: Iterable[str]) -> list[dict[str, str]]:
    return [{"name": name, "meaning": GLOSSARY[name]} for name in names]
