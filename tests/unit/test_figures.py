"""Every picture is drawn, says what it shows, and has a sentence where there is nothing to show."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from delever.experiments import figures
from delever.experiments.folder import RunFolder
from tests.synthetic_run import write_run


@pytest.fixture(scope="module")
def crash(tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    return RunFolder(write_run(tmp_path_factory.mktemp("crash"), hours=2))


@pytest.fixture(scope="module")
def calm(tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    return RunFolder(write_run(tmp_path_factory.mktemp("calm"), hours=0.2, crash=False))


def words(figure: Figure) -> str:
    figure.draw_without_rendering()
    texts = [figure.get_suptitle(), *(text.get_text() for text in figure.texts)]
    for axis in figure.axes:
        texts += [axis.get_title(loc="left"), axis.get_xlabel(), axis.get_ylabel()]
        texts += [text.get_text() for text in axis.texts]
        legend = axis.get_legend()
        texts += [text.get_text() for text in legend.get_texts()] if legend else []
    return "\n".join(texts)


def test_every_picture_is_a_file_with_a_caption(crash: RunFolder) -> None:
    drawn = figures.draw_run(crash)
    assert [picture.file.name for picture in drawn] == [
        "price.png",
        "margin.png",
        "fund.png",
        "losses.png",
        "sizes.png",
    ]
    for picture in drawn:
        assert picture.file.read_bytes().startswith(b"\x89PNG")
        assert picture.title
        assert picture.caption


def test_several_markets_have_a_price_picture_each(tmp_path: Path) -> None:
    run = RunFolder(write_run(tmp_path, hours=0.5, symbols=("AAA", "BBB")))
    names = [picture.file.name for picture in figures.draw_run(run)]
    assert names[:2] == ["price-AAA.png", "price-BBB.png"]


def test_axes_have_units(crash: RunFolder) -> None:
    assert "price (quote)" in words(figures.price_figure(crash, 0)[0])
    assert "hours:minutes" in words(figures.price_figure(crash, 0)[0])
    assert "% (logarithmic)" in words(figures.margin_figure(crash)[0])
    assert "quote\nper 30 seconds" in words(figures.fund_figure(crash)[0])
    assert "value closed (quote)" in words(figures.sizes_figure(crash)[0])


def test_flows_of_the_fund_say_their_reason_and_direction(crash: RunFolder) -> None:
    said = words(figures.fund_figure(crash)[0])
    assert "deficits covered, out" in said
    assert "liquidation fees, in" in said


def test_bars_of_the_fund_add_up_to_its_flows(crash: RunFolder) -> None:
    figure, _ = figures.fund_figure(crash)
    axis = figure.axes[1]
    drawn = sum(bar.get_height() for container in axis.containers for bar in container)
    moved = crash.fund.loc[crash.fund["code"] != "DEPOSIT", "amount_atoms"].sum() / 1e6
    assert drawn * 1000 == pytest.approx(moved)  # the axis counts thousands


def test_losses_are_written_beside_their_bars(crash: RunFolder) -> None:
    said = words(figures.losses_figure(crash)[0])
    lost = crash.summary["waterfall"]["own_margin"]
    assert f"{lost / 1e6:.2f} million" in said
    assert "0" in said.splitlines()


def test_a_gain_of_the_fund_is_no_loss(crash: RunFolder) -> None:
    crash.summary["waterfall"]["fund"], before = -2_000_000.0, crash.summary["waterfall"]["fund"]
    try:
        assert "gained 2 million" in words(figures.losses_figure(crash)[0])
    finally:
        crash.summary["waterfall"]["fund"] = before


def test_a_calm_run_has_sentences_instead_of_empty_axes(calm: RunFolder) -> None:
    assert "Nothing was traded by force." in words(figures.price_figure(calm, 0)[0])
    assert "Nothing came into the fund" in words(figures.fund_figure(calm)[0])
    assert "Nobody lost anything" in words(figures.losses_figure(calm)[0])
    assert "Nobody was liquidated" in words(figures.sizes_figure(calm)[0])


def test_ticks_are_written_with_separators_and_never_rounded_to_the_wrong_number() -> None:
    figure = Figure()
    axis = figure.subplots()
    axis.plot([0, 1], [3.1, 8.2])
    figures._separators(axis)
    figure.draw_without_rendering()
    for tick, label in zip(axis.get_yticks(), axis.get_yticklabels(), strict=True):
        assert float(label.get_text().replace(",", "").replace("−", "-")) == pytest.approx(tick)
    axis.plot([0, 1], [3000, 82_000])
    figure.draw_without_rendering()
    assert "20,000" in [label.get_text() for label in axis.get_yticklabels()]


def test_colours_can_be_told_apart_by_the_colour_blind() -> None:
    assert len(set(figures.CYCLE)) == len(figures.CYCLE)
    assert {"#E69F00", "#56B4E9", "#009E73", "#0072B2", "#D55E00", "#CC79A7"} <= set(figures.CYCLE)


def runs(**columns: list[float]) -> pd.DataFrame:
    seeds = np.arange(3)
    return pd.DataFrame({"rules": ["a"] * 3 + ["b"] * 3, "seed": np.tile(seeds, 2), **columns})


def test_the_comparison_names_what_is_always_zero() -> None:
    table = runs(liquidations=[1, 2, 3, 0, 0, 1], bad_debt=[0.0] * 6)
    said = words(figures.comparison_figure(table))
    assert "A: a" in said
    assert "B: b" in said
    assert "0 in every run: bad debt" in said
    assert "liquidations" in said


def test_the_comparison_of_nothing_is_a_sentence() -> None:
    assert "All measures are 0" in words(figures.comparison_figure(runs(bad_debt=[0.0] * 6)))
