"""The study of published deleveraging: what follows from what, and its totals."""

from __future__ import annotations

from pathlib import Path

import pytest

from delever.experiments.errors import UserError
from delever.experiments.studies.adl_shootout import design, identities, main, totals
from tests.tree import ROOT

FOLDER = ROOT.parent / "shared" / "data" / "hl_adl_2025-10-10"
here = pytest.mark.skipif(not FOLDER.is_dir(), reason="the data are not here")


@here
def test_every_number_that_follows_from_others_is_found_again() -> None:
    """To a cent in every wave there is; the needed budget out of 728 rounded gaps to 0.011."""
    found = identities(FOLDER)
    assert [each for each in found if not each.holds] == []
    assert {each.name for each in found} >= {"budget_needed", "budget_prod", "overshoot_vector", "rd_nse_contract_pr"}
    of_money = [each for each in found if each.unit == "USD"]
    assert len(of_money) == 16
    assert all(each.waves == 9 for each in of_money)


@here
def test_totals() -> None:
    """Over all waves what is needed and what was taken; of the other rules only the waves that are here."""
    found = {total.name: total for total in totals(FOLDER)}
    assert found["needed, USD"].value == pytest.approx(15_079_669.61, abs=0.01)
    assert found["needed, USD, from the gaps"].value == pytest.approx(15_079_669.61, abs=0.01)
    assert found["taken by the venue, USD"].value == pytest.approx(60_108_335.33, abs=0.01)
    assert found["deficit, USD"].value == pytest.approx(100_063_386.69, abs=0.01)
    assert [found[f"{name}, USD"].waves for name in ("needed", "overshoot contract_pr")] == [16, 9]
    assert found["overshoot vector, USD"].value == pytest.approx(-1_206_250.60, abs=0.01)


def test_a_folder_without_tables_is_told(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="has no adl_by_user_anon"):
        identities(tmp_path)
    with pytest.raises(UserError, match="give the folder"):
        main([])
    assert len(design()) == 6
