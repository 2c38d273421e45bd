"""The report stands on its own, tells what the tables say, and works on what an interrupted run left."""

import json
import re
from pathlib import Path

import pytest

from delever.experiments.errors import UserError
from delever.experiments.facts import deepest_fall, steepest_minute
from delever.experiments.folder import RunFolder
from delever.experiments.report import render, write_report
from delever.experiments.story import headline, tell
from delever.experiments.words import GLOSSARY, amount, duration, short, three_figures, written
from tests.synthetic_run import write_run


@pytest.fixture(scope="module")
def crash(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_run(tmp_path_factory.mktemp("crash"), hours=2)


@pytest.fixture(scope="module")
def page(crash: Path) -> str:
    return write_report(crash).read_text(encoding="utf-8")


def test_the_page_needs_no_other_file(crash: Path, page: str) -> None:
    assert page.count("data:image/png;base64,") == 5
    assert not re.search(r"<(script|link)\b|(src|href)=\"(?!data:)", page)
    assert "interrupted" not in page
    assert not list(crash.glob("*.part"))


def test_the_page_explains_its_terms_and_shows_all_numbers(page: str) -> None:
    assert "auto-deleveraging (ADL)" in page
    assert "conservation error (atoms)" in page
    assert "refused commands" in page


def test_the_account_agrees_with_the_tables(crash: Path) -> None:
    run = RunFolder(crash)
    told = {chapter.heading: " ".join(chapter.paragraphs) for chapter in tell(run)}
    hit = run.liquidations
    assert f"{hit['account'].nunique()} accounts came under liquidation, {len(hit)} times in all" in told["The cascade"]
    assert (
        f"({(hit['lots'] > 0).sum()} long positions, {(hit['lots'] < 0).sum()} short positions)" in told["The cascade"]
    )
    assert f"{run.adl['counterparty'].nunique()} winners had positions" in told["Who paid"]
    assert told["Who paid"].index("own margin") < told["Who paid"].index("insurance fund")
    assert "branching ratio" in told["The cascade"]
    assert (
        "Backstop providers, who take over what the book leaves, began with 500 thousand" in told["The insurance fund"]
    )
    assert "The last to pay: winners who were deleveraged." in headline(run)


def test_what_winners_had_to_take_is_not_recovered_without_help(crash: Path) -> None:
    run = RunFolder(crash)
    hit = run.liquidations
    value = hit["value_atoms"] / hit["lots"].abs()
    by_winners, closed = (value * hit["adl_lots"]).sum(), (value * (hit["adl_lots"] + hit["book_lots"])).sum()
    told = next(" ".join(chapter.paragraphs) for chapter in tell(run) if chapter.heading == "Who paid")
    assert f"{three_figures(100 * by_winners / closed)} % was closed against winners" in told
    without_help = 1 - (by_winners + hit["deficit_atoms"].sum()) / closed
    assert f"{three_figures(100 * without_help)} % was recovered without help" in told


def test_an_interrupted_run_has_a_report_that_says_so(tmp_path: Path) -> None:
    page = render(RunFolder(write_run(tmp_path, hours=1, finished=False)), [])
    assert "This run was interrupted." in page
    assert "The run has no summary" in page
    assert "It had come to" in page


def test_a_run_interrupted_before_the_first_record_has_a_report(tmp_path: Path) -> None:
    write_run(tmp_path, hours=1, finished=False)
    for name in ("series", "liquidations", "adl", "fund"):
        (tmp_path / f"{name}.parquet").unlink()
    page = write_report(tmp_path).read_text(encoding="utf-8")
    assert "Nothing was recorded before that." in page


def test_a_calm_run_is_told_calmly(tmp_path: Path) -> None:
    run = RunFolder(write_run(tmp_path, hours=0.3, crash=False))
    told = " ".join(paragraph for chapter in tell(run) for paragraph in chapter.paragraphs)
    assert headline(run) == "Nobody was liquidated."
    assert "there was no cascade" in told
    assert "Nobody lost anything." in told
    assert "nan" not in told.lower()


def test_every_term_beside_the_text_is_in_the_glossary(crash: Path) -> None:
    for chapter in tell(RunFolder(crash)):
        assert set(chapter.terms) <= set(GLOSSARY)


def test_names_from_files_cannot_break_the_page(tmp_path: Path) -> None:
    folder = write_run(tmp_path, hours=0.3)
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["rules"]["name"] = "<script>alert(1)</script>"
    (folder / "manifest.json").write_text(json.dumps(manifest))
    page = render(RunFolder(folder), [])
    assert "<script>" not in page
    assert "&lt;script&gt;alert(1)" in page


def test_falls_are_found_where_they_are(crash: Path) -> None:
    run = RunFolder(crash)
    mark = run.series["mark_ticks"].to_numpy(dtype=float)
    fall, minute = deepest_fall(run, 0), steepest_minute(run, 0)
    assert fall is not None
    assert minute is not None
    worst = max(1 - mark[j] / mark[: j + 1].max() for j in range(len(mark)))
    assert fall.share == pytest.approx(worst)
    steepest = max(1 - mark[j] / mark[max(0, j - 6) : j + 1].max() for j in range(len(mark)))
    assert minute.share == pytest.approx(steepest)
    assert 0 < minute.to_s - minute.from_s <= 60


@pytest.mark.parametrize(
    ("broken", "says"),
    [
        (lambda folder: (folder / "manifest.json").unlink(), "no manifest[.]json"),
        (lambda folder: (folder / "manifest.json").write_text("{"), "cannot be read"),
        (lambda folder: (folder / "series.parquet").write_bytes(b"no table"), "cannot be read"),
    ],
)
def test_a_folder_that_is_no_run_is_a_users_mistake(tmp_path: Path, broken: object, says: str) -> None:
    folder = write_run(tmp_path, hours=0.2)
    broken(folder)  # type: ignore[operator]
    with pytest.raises(UserError, match=says):
        write_report(folder)


def test_numbers_are_written_for_people() -> None:
    assert [three_figures(x) for x in (0, 0.012345, 1.0, 12.34, 1234.5, -0.5)] == [
        "0",
        "0.0123",
        "1",
        "12.3",
        "1,234",
        "-0.5",
    ]
    assert [amount(x) for x in (0, 12.5, 950, 12_345, 999_999, 1.5e6, -2e9)] == [
        "0", "12.50", "950", "12.3 thousand", "1,000 thousand", "1.5 million", "-2 billion",
    ]  # fmt: skip
    assert [short(x) for x in (0, 950, 1_500, -2.5e6)] == ["0", "950", "1.5 k", "-2.5 M"]
    assert [duration(x) for x in (0, 1, 45, 90, 5400, 86_400)] == [
        "0 seconds", "1 second", "45 seconds", "1.5 minutes", "1.5 hours", "1 day",
    ]  # fmt: skip
    assert written("max_drawdown", 0.18456) == "18.5 %"
    assert written("bad_debt", 0.0) == "0"
    assert written("fills", 1234567) == "1,234,567"
