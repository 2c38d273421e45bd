"""Every picture is drawn, says what it shows, and has a sentence where there is nothing to show."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from matplotlib.patches import StepPatch

from delever.experiments import drawing, figures
from delever.experiments.comparison_figure import comparison_figure
from delever.experiments.folder import RunFolder
from delever.experiments.metrics.cascades import causal_cascades
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
    assert "% of the index" in words(figures.price_figure(crash, 0)[0])
    assert "maintenance / equity (%)" in words(figures.margin_figure(crash)[0])
    assert "quote\nper 1 minute" in words(figures.fund_figure(crash)[0])
    assert "value closed (quote)" in words(figures.sizes_figure(crash)[0])


def test_flows_of_the_fund_say_their_reason_and_direction(crash: RunFolder) -> None:
    said = words(figures.fund_figure(crash)[0])
    assert "deficits covered, out" in said
    assert "liquidation fees, in" in said


def test_bars_of_the_fund_add_up_to_its_flows(crash: RunFolder) -> None:
    figure, _ = figures.fund_figure(crash)
    stacked = [patch.get_data() for patch in figure.axes[1].patches if isinstance(patch, StepPatch)]
    drawn = sum((data.values - data.baseline).sum() for data in stacked)
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


def test_prices_are_drawn_as_shares_of_the_index_and_only_where_there_are_any() -> None:
    away = figures.percent_of_index([0, 110, 95], [100, 100, 100])
    assert np.isnan(away[0])
    assert away[1:] == pytest.approx([10, -5])


def test_liquidations_that_closed_nothing_are_counted_on_both_sides(crash: RunFolder) -> None:
    """One definition: a liquidation counts when it began. Those without a size have no bar, and the title says so."""
    before = crash.liquidations
    nothing = before["liquidation"] <= 3
    crash.liquidations = before.assign(**{way: before[way].where(~nothing, 0) for way in ("book_lots", "adl_lots")})
    try:
        left, right = figures.sizes_figure(crash)[0].axes
    finally:
        crash.liquidations = before
    assert left.get_title(loc="left") == f"{len(before)} liquidations, 3 closed nothing"
    assert sum(bar.get_height() for bar in left.patches) == len(before) - 3
    assert right.get_title(loc="left").startswith(f"{len(causal_cascades(before))} cascades")


def test_the_backstop_is_drawn_if_something_came_to_it(crash: RunFolder, calm: RunFolder) -> None:
    assert "equity of the backstop providers" in words(figures.fund_figure(crash)[0])
    assert "backstop" not in words(figures.fund_figure(calm)[0])
    moved = crash.fund
    crash.fund = moved[moved["code"] == "DEPOSIT"]
    try:
        figure, caption = figures.fund_figure(crash)
    finally:
        crash.fund = moved
    assert [axis.get_title(loc="left") for axis in figure.axes] == ["equity of the backstop providers"]
    assert "Nothing came into the fund" in caption


def test_no_legend_covers_a_line_or_a_label(crash: RunFolder) -> None:
    drawn = [figures.price_figure(crash, 0)[0], figures.margin_figure(crash)[0], figures.fund_figure(crash)[0]]
    before = crash.series
    crash.series = before.assign(backstop_equity_atoms=0)  # the labels of time are below the payments then
    try:
        drawn.append(figures.fund_figure(crash)[0])
    finally:
        crash.series = before
    for figure in drawn:
        figure.draw_without_rendering()
        for axis in figure.axes:
            legend = axis.get_legend()
            if legend is None:
                continue
            covered = [
                axis.get_window_extent(),
                *(text.get_window_extent() for text in (axis.xaxis.label, axis._left_title)),
            ]
            covered = [box for box in covered if box.width > 1]
            assert not any(legend.get_window_extent().overlaps(box) for box in covered)


def test_labels_of_losses_stay_inside(crash: RunFolder) -> None:
    """Also where all of the loss is one layer's, whose bar is the longest and whose label the widest."""
    one_layer = dict.fromkeys(crash.summary["waterfall"], 0.0) | {"own_margin": 888_888_888_888.0}
    crash.summary["waterfall"], before = one_layer, crash.summary["waterfall"]
    try:
        figure, _ = figures.losses_figure(crash)
    finally:
        crash.summary["waterfall"] = before
    figure.draw_without_rendering()
    axis = figure.axes[0]
    assert all(text.get_window_extent().x1 < axis.get_window_extent().x1 for text in axis.texts)


def test_ticks_are_written_with_separators_and_never_rounded_to_the_wrong_number() -> None:
    figure = Figure()
    axis = figure.subplots()
    axis.plot([0, 1], [3.1, 8.2])
    drawing.separators(axis)
    figure.draw_without_rendering()
    for tick, label in zip(axis.get_yticks(), axis.get_yticklabels(), strict=True):
        assert float(label.get_text().replace(",", "").replace("−", "-")) == pytest.approx(tick)
    axis.plot([0, 1], [3000, 82_000])
    figure.draw_without_rendering()
    assert "20,000" in [label.get_text() for label in axis.get_yticklabels()]


def test_colours_can_be_told_apart_by_the_colour_blind() -> None:
    assert len(set(drawing.CYCLE)) == len(drawing.CYCLE)
    assert {"#E69F00", "#56B4E9", "#009E73", "#0072B2", "#D55E00", "#CC79A7"} <= set(drawing.CYCLE)


def runs(**columns: list[float]) -> pd.DataFrame:
    seeds = np.arange(3)
    return pd.DataFrame({"rules": ["a"] * 3 + ["b"] * 3, "seed": np.tile(seeds, 2), **columns})


def test_the_comparison_names_what_is_always_zero() -> None:
    table = runs(liquidations=[1, 2, 3, 0, 0, 1], bad_debt=[0.0] * 6)
    said = words(comparison_figure(table))
    assert "A: a" in said
    assert "B: b" in said
    assert "0 in every run: bad debt" in said
    assert "liquidations" in said


def test_the_comparison_of_nothing_is_a_sentence() -> None:
    assert "All measures are 0" in words(comparison_figure(runs(bad_debt=[0.0] * 6)))
