"""Vaults and keepers: who redeems when, what that does to the next shock, and when a keeper stands by."""

from __future__ import annotations

import numpy as np
import pytest

from delever.agents.conformance import check_cohort
from delever.agents.keeper import Keeper
from delever.agents.vault import Vault, VaultParameters
from delever.engine.commands import C_AMOUNT, Kind
from delever.engine.rules.presets import PRESETS
from delever.engine.tables import L_LOTS, U_CREDITS_ATOMS, U_DEBITS_ATOMS
from delever.experiments.paired import paired_difference
from delever.sim.model import MarketModel
from delever.sim.run import simulate
from delever.sim.scenario import from_toml
from tests.twins import change, crash
from tests.unit.board import LOT, MARK, QUOTE, Board, everybody, make, of_kind

MONEY = 1_000_000
EQUAL = {"wealth_quote_median": float(MONEY), "depositors": 1_000, "size_tail": 100.0}
PATIENT = {"lock_up_s": 0.0, "age_max_s": 0.0}


def vault(**numbers: float) -> tuple[Board, Vault]:
    """Return a vault with a thousand depositors who brought nearly the same, and its venue."""
    board = Board(1)
    worth(board, MONEY)
    cohort = make(Vault, 1, **(EQUAL | numbers))
    assert isinstance(cohort, Vault)
    assert not len(cohort.decide(board.view(10), everybody(cohort)))
    return board, cohort


def worth(board: Board, quote: float) -> None:
    """Let the vault have so much money."""
    board.tables.units[0, U_CREDITS_ATOMS] = int(quote * 1_000_000) + board.tables.units[0, U_DEBITS_ATOMS]


def paid(board: Board, cohort: Vault, step: int) -> float:
    """Return what the vault withdraws at a step, and let it be paid."""
    commands = of_kind(cohort.decide(board.view(step), everybody(cohort)), Kind.WITHDRAW)
    atoms = int(commands[:, C_AMOUNT].sum())
    board.tables.units[0, U_DEBITS_ATOMS] += atoms
    return atoms / 1e6


@pytest.mark.parametrize(("loss", "leave"), [(0.05, 0.0), (0.2, 0.25), (0.3, 0.5), (0.5, 1.0)])
def test_depositors_leave_at_their_tolerance_of_a_fall_of_the_share_price(loss: float, leave: float) -> None:
    board, cohort = vault(tolerance_min=0.1, tolerance_max=0.5, **PATIENT)
    worth(board, MONEY * (1 - loss))
    first = paid(board, cohort, 20)
    # A tenth of free collateral stays for prices that move; who finds nothing waits for the next time.
    assert first == pytest.approx(min(leave, 0.9) * MONEY * (1 - loss), rel=0.08, abs=1)
    price = board.view().equity_atoms(cohort.rows)[0] / cohort.columns["shares"].sum()
    assert price == pytest.approx(1 - loss, rel=1e-6), "who stays is neither richer nor poorer for it"


def test_nobody_leaves_before_the_lock_up_is_over_and_everybody_who_decided_then() -> None:
    board, cohort = vault(tolerance_min=0.1, tolerance_max=0.1, lock_up_s=1_000.0, age_max_s=2_000.0)
    worth(board, 0.8 * MONEY)
    assert paid(board, cohort, 20) == pytest.approx(0.8 * MONEY * 0.5, rel=0.1), "half are older than the lock-up"
    worth(board, 1.2 * MONEY)
    assert paid(board, cohort, 1_000) > 0.5 * MONEY, "though the price has recovered"


def test_a_redemption_that_is_refused_is_asked_for_again() -> None:
    board, cohort = vault(tolerance_min=0.1, tolerance_max=0.1, **PATIENT)
    worth(board, 0.5 * MONEY)
    first = cohort.decide(board.view(20), everybody(cohort))
    again = cohort.decide(board.view(30), everybody(cohort))
    assert np.array_equal(first, again)


def test_they_conform() -> None:
    for kind in (Vault, Keeper):
        check_cohort(make(kind, 6, first_row=3))
    check_cohort(make(Vault, 3, tolerance_min=0.0, tolerance_max=0.01, **PATIENT))
    with pytest.raises(ValueError, match="tolerance_min must not be above tolerance_max"):
        VaultParameters(tolerance_min=0.5, tolerance_max=0.1)


@pytest.mark.parametrize(("depth_lots", "gas_quote", "stands_by"), [(10_000, 5, 1), (10, 5, 0), (10_000, 10_000, 0)])
def test_a_keeper_stands_by_while_the_bonus_is_above_slippage_and_gas(
    depth_lots: int, gas_quote: int, stands_by: bool
) -> None:
    """Bonus of 3 % on 80,000 quote, which are 10,000 lots; the book has so many lots on each side, or next to none."""
    board = Board(1, rules=PRESETS["mango-v4"], equity_lots=10_000)
    board.tables.levels[0, [MARK - 1, MARK + 1], L_LOTS] = depth_lots
    keeper = make(Keeper, 1, leverage=1.0, gas_quote=float(gas_quote))
    commands = keeper.decide(board.view(10), everybody(keeper))
    assert of_kind(commands, Kind.WITHDRAW)[:, C_AMOUNT].tolist() == ([] if stands_by else [10_000 * LOT])
    if not stands_by:
        board.tables.units[0, U_DEBITS_ATOMS] = 10_000 * LOT
        board.tables.levels[0, [MARK - 1, MARK + 1], L_LOTS] = 10_000
        keeper.parameters.__dict__["gas_quote"] = 5.0
        back = keeper.decide(board.view(20), everybody(keeper))
        assert of_kind(back, Kind.DEPOSIT)[:, C_AMOUNT].tolist() == [10_000 * LOT]


def deficit_quote(seed: int, **keepers: float) -> float:
    """Return by how much accounts are under water at the end of a fall by 30 %, under rules of keepers."""
    plain = crash().model_dump(mode="json", exclude_unset=True)["cohorts"]
    given = {"kind": "keeper", "count": 3, "wealth_law": "equal", **keepers}
    deeper = ("cohorts.retail.top_up_share=0", "markets.X.path.shocks.0.size=-0.3", "duration_s=800")
    model = MarketModel(crash(*deeper, cohorts=[*plain, given]), rules="mango-v4", seed=seed, collect=False)
    while model.running:
        model.step()
    retail = next(cohort for cohort in model.cohorts if cohort.name == "retail")
    equity = model.look().equity_atoms(retail.rows)
    model.close()
    return float(np.maximum(-equity, 0).sum() / QUOTE)


def test_keepers_who_stand_by_leave_nobody_under_water() -> None:
    """Paired twin: gas so dear that no liquidation pays, and nobody comes: Qin and others (2021)."""
    seeds = range(1, 5)
    near, far = (np.array([deficit_quote(seed, **gas) for seed in seeds]) for gas in ({}, {"gas_quote": 1e6}))
    assert paired_difference(near, 0.1 * far).high < 0.0, "less than a tenth"


def test_a_backstop_spares_winners_their_deleveraging() -> None:
    """Paired twin: nobody takes over what the book did not, in a fall by 30 % within 10 s and a thin book."""
    fast = ("markets.X.path.shocks.0.size=-0.3", "markets.X.path.shocks.0.length_s=10")
    thin = ("cohorts.maker.count=2", "cohorts.maker.wealth_quote_median=300000", "cohorts.retail.top_up_share=0")
    bare = crash(*fast, *thin)
    plain = bare.model_dump(mode="json", exclude_unset=True)["cohorts"]
    backed = bare.replaced({"cohorts": [*plain, {"kind": "backstop", "count": 2}]})
    taking = "textbook,liquidation.stage=takeover_only,liquidation.leftover=backstop"
    assert change("adl_notional", backed, bare, 4, taking).high < 0.0
    assert change("waterfall.backstop", backed, bare, 4, taking).low > 0.0, "and it loses on it"


TWO_SHOCKS = """
name = "two-shocks"
dt_s = 5
duration_s = 2400
traders = 300
[[markets]]
symbol = "X"
tick_size = "0.5"
lot_size = "0.001"
[markets.path]
kind = "constant"
price = 8000
[[markets.path.shocks]]
kind = "ramp"
at_s = 600
length_s = 30
size = -0.15
[[markets.path.shocks]]
kind = "ramp"
at_s = 1800
length_s = 30
size = -0.15
[[cohorts]]
kind = "maker"
count = 3
mean_interval_s = 15
wealth_quote_median = 20_000
[[cohorts]]
kind = "noise"
count = 60
[[cohorts]]
kind = "retail"
count = 300
mean_interval_s = 60
open_share = 0.3
order_quote_max = 20_000
leverages = [10, 20]
leverage_weights = [0.5, 0.5]
top_up_share = 0
reduce_share = 0
[[cohorts]]
kind = "vault"
wealth_quote_median = 40_000
tolerance_min = 0.02
tolerance_max = 0.1
lock_up_s = 0
"""


def between(seed: int, text: str) -> tuple[float, float]:
    """Return the vault's capital before the second shock and what a share has lost until then, of the start."""
    model = MarketModel(from_toml(text, "two-shocks.toml"), rules="hyperliquid", seed=seed, collect=False)
    cohort = next(each for each in model.cohorts if isinstance(each, Vault))
    while model.look().time_s < 1_795:
        model.step()
    equity = float(model.look().equity_atoms(cohort.rows)[0])
    shares = int((cohort.columns["shares"] + cohort.columns["paying"]).sum())
    model.close()
    return equity / 40e9, 1.0 - equity / shares


def test_depositors_who_leave_after_a_loss_leave_the_next_one_to_the_winners() -> None:
    """Paired twins: the same luck, nobody may leave."""
    seeds = (1, 2, 3, 4, 5)
    stay = TWO_SHOCKS.replace("tolerance_min = 0.02", "tolerance_min = 1").replace("_max = 0.1", "_max = 1")
    capital, loss = np.array([between(seed, TWO_SHOCKS) for seed in seeds]).T
    assert paired_difference(1.0 - capital, 1.5 * loss).low > 0, "capital falls by more than the loss"
    leaving, staying = (
        np.array([simulate(from_toml(text, "w.toml"), "hyperliquid", seed).summary["adl_notional"] for seed in seeds])
        for text in (TWO_SHOCKS, stay)
    )
    assert paired_difference(leaving, staying).low > 0, "more is deleveraged"
