"""Cohorts as a scenario names them: a behaviour, its name and its numbers in one table."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from delever.agents.arbitrage import Arbitrage, ArbitrageParameters
from delever.agents.backstop import Backstop, BackstopParameters
from delever.agents.carry import Carry, CarryParameters
from delever.agents.cohort import Cohort
from delever.agents.depositor import Depositor, DepositorParameters
from delever.agents.execution import Execution, ExecutionParameters
from delever.agents.holder import Holder, HolderParameters
from delever.agents.imbalance import Imbalance, ImbalanceParameters
from delever.agents.keeper import Keeper, KeeperParameters
from delever.agents.maker import Maker, MakerParameters
from delever.agents.noise import Noise, NoiseParameters
from delever.agents.parameters import CohortParameters
from delever.agents.portfolio import Hedger, HedgerParameters, Portfolio, PortfolioParameters
from delever.agents.programme import Programme, ProgrammeParameters
from delever.agents.proprietary import Proprietary, ProprietaryParameters
from delever.agents.retail import Retail, RetailParameters
from delever.agents.sentiment import Sentiment, SentimentParameters
from delever.agents.stops import Stops, StopsParameters
from delever.agents.switching import Switching, SwitchingParameters
from delever.agents.trend import Trend, TrendParameters
from delever.agents.value import Value, ValueParameters
from delever.agents.value_fund import ValueFund, ValueFundParameters
from delever.agents.vault import Vault, VaultParameters
from delever.agents.volatility_target import VolatilityTarget, VolatilityTargetParameters
from delever.agents.whale import Attacker, AttackerParameters, Whale, WhaleParameters
from delever.agents.zero_intelligence import ZeroIntelligence, ZeroIntelligenceParameters

Name = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_-]*$", max_length=40)]


class NoisePopulation(NoiseParameters):
    """A cohort of zero-intelligence traders."""

    kind: Literal["noise"]
    """Behaviour."""
    name: Name = "noise"
    """Name in results and after --set cohorts."""


class ValuePopulation(ValueParameters):
    """A cohort of value traders."""

    kind: Literal["value"]
    """Behaviour."""
    name: Name = "value"
    """Name in results and after --set cohorts."""


class TrendPopulation(TrendParameters):
    """A cohort of trend followers, or of contrarians."""

    kind: Literal["trend"]
    """Behaviour."""
    name: Name = "trend"
    """Name in results and after --set cohorts."""


class RetailPopulation(RetailParameters):
    """A cohort of leveraged retail traders."""

    kind: Literal["retail"]
    """Behaviour."""
    name: Name = "retail"
    """Name in results and after --set cohorts."""


class MakerPopulation(MakerParameters):
    """A cohort of market makers."""

    kind: Literal["maker"]
    """Behaviour."""
    name: Name = "maker"
    """Name in results and after --set cohorts."""


class BackstopPopulation(BackstopParameters):
    """A cohort of backstop providers, whom the venue asks to take positions over, in the order of their keys."""

    kind: Literal["backstop"]
    """Behaviour."""
    name: Name = "backstop"
    """Name in results and after --set cohorts."""


class ExecutionPopulation(ExecutionParameters):
    """A cohort of traders who work large orders."""

    kind: Literal["execution"]
    """Behaviour."""
    name: Name = "execution"
    """Name in results and after --set cohorts."""


class SwitchingPopulation(SwitchingParameters):
    """A cohort of speculators who switch between chartism and fundamentalism."""

    kind: Literal["switching"]
    """Behaviour."""
    name: Name = "switching"
    """Name in results and after --set cohorts."""


class SentimentPopulation(SentimentParameters):
    """A cohort of retail traders with moods."""

    kind: Literal["sentiment"]
    """Behaviour."""
    name: Name = "sentiment"
    """Name in results and after --set cohorts."""


class DepositorPopulation(DepositorParameters):
    """A cohort of holders of money who do not trade."""

    kind: Literal["depositor"]
    """Behaviour."""
    name: Name = "depositor"
    """Name in results and after --set cohorts."""


class VaultPopulation(VaultParameters):
    """A cohort of backstop providers who are funded by depositors."""

    kind: Literal["vault"]
    """Behaviour."""
    name: Name = "vault"
    """Name in results and after --set cohorts."""


class KeeperPopulation(KeeperParameters):
    """A cohort of third-party liquidators, whom the venue asks where its rules know keepers."""

    kind: Literal["keeper"]
    """Behaviour."""
    name: Name = "keeper"
    """Name in results and after --set cohorts."""


class WhalePopulation(WhaleParameters):
    """A cohort of accounts of one owner with a large position."""

    kind: Literal["whale"]
    """Behaviour."""
    name: Name = "whale"
    """Name in results and after --set cohorts."""


class AttackerPopulation(AttackerParameters):
    """A cohort of accounts of one owner that makes the backstop inherit a position."""

    kind: Literal["attacker"]
    """Behaviour."""
    name: Name = "attacker"
    """Name in results and after --set cohorts."""


class ProgrammePopulation(ProgrammeParameters):
    """A cohort of accounts of one owner that works one order at a share of volume."""

    kind: Literal["programme"]
    """Behaviour."""
    name: Name = "programme"
    """Name in results and after --set cohorts."""


class StopsPopulation(StopsParameters):
    """A cohort of users of stop-losses."""

    kind: Literal["stops"]
    """Behaviour."""
    name: Name = "stops"
    """Name in results and after --set cohorts."""


class ImbalancePopulation(ImbalanceParameters):
    """A cohort of traders who read the book."""

    kind: Literal["imbalance"]
    """Behaviour."""
    name: Name = "imbalance"
    """Name in results and after --set cohorts."""


class VolatilityTargetPopulation(VolatilityTargetParameters):
    """A cohort of volatility-targeting funds."""

    kind: Literal["volatility_target"]
    """Behaviour."""
    name: Name = "volatility_target"
    """Name in results and after --set cohorts."""


class PortfolioPopulation(PortfolioParameters):
    """A cohort of accounts that hold several contracts on one margin."""

    kind: Literal["portfolio"]
    """Behaviour."""
    name: Name = "portfolio"
    """Name in results and after --set cohorts."""


class HedgerPopulation(HedgerParameters):
    """A cohort of traders who take what portfolios leave over."""

    kind: Literal["hedger"]
    """Behaviour."""
    name: Name = "hedger"
    """Name in results and after --set cohorts."""


class ProprietaryPopulation(ProprietaryParameters):
    """A cohort of proprietary desks with a limit of value at risk."""

    kind: Literal["proprietary"]
    """Behaviour."""
    name: Name = "proprietary"
    """Name in results and after --set cohorts."""


class ArbitragePopulation(ArbitrageParameters):
    """A cohort of arbitrageurs between two venues."""

    kind: Literal["arbitrage"]
    """Behaviour."""
    name: Name = "arbitrage"
    """Name in results and after --set cohorts."""


class CarryPopulation(CarryParameters):
    """A cohort of carry traders: long at one venue, short at another."""

    kind: Literal["carry"]
    """Behaviour."""
    name: Name = "carry"
    """Name in results and after --set cohorts."""


class ValueFundPopulation(ValueFundParameters):
    """A cohort of value funds with leverage and redemptions."""

    kind: Literal["value_fund"]
    """Behaviour."""
    name: Name = "value_fund"
    """Name in results and after --set cohorts."""


class HolderPopulation(HolderParameters):
    """A cohort of holders of the supply, who quote their demand curve."""

    kind: Literal["holder"]
    """Behaviour."""
    name: Name = "holder"
    """Name in results and after --set cohorts."""


class ZeroIntelligencePopulation(ZeroIntelligenceParameters):
    """A cohort of pure zero intelligence: orders at constant rates."""

    kind: Literal["zero_intelligence"]
    """Behaviour."""
    name: Name = "zero_intelligence"
    """Name in results and after --set cohorts."""


Population = Annotated[
    NoisePopulation
    | ValuePopulation
    | TrendPopulation
    | RetailPopulation
    | MakerPopulation
    | BackstopPopulation
    | ExecutionPopulation
    | SwitchingPopulation
    | SentimentPopulation
    | DepositorPopulation
    | VaultPopulation
    | KeeperPopulation
    | WhalePopulation
    | AttackerPopulation
    | ProgrammePopulation
    | StopsPopulation
    | ImbalancePopulation
    | VolatilityTargetPopulation
    | PortfolioPopulation
    | HedgerPopulation
    | ProprietaryPopulation
    | ArbitragePopulation
    | CarryPopulation
    | ValueFundPopulation
    | HolderPopulation
    | ZeroIntelligencePopulation,
    Field(discriminator="kind"),
]

BEHAVIOURS: dict[str, type[Cohort]] = {
    "noise": Noise,
    "value": Value,
    "trend": Trend,
    "retail": Retail,
    "maker": Maker,
    "backstop": Backstop,
    "execution": Execution,
    "switching": Switching,
    "sentiment": Sentiment,
    "depositor": Depositor,
    "vault": Vault,
    "keeper": Keeper,
    "whale": Whale,
    "attacker": Attacker,
    "programme": Programme,
    "stops": Stops,
    "imbalance": Imbalance,
    "volatility_target": VolatilityTarget,
    "portfolio": Portfolio,
    "hedger": Hedger,
    "proprietary": Proprietary,
    "arbitrage": Arbitrage,
    "carry": Carry,
    "value_fund": ValueFund,
    "holder": Holder,
    "zero_intelligence": ZeroIntelligence,
}


def traders_of(population: CohortParameters, traders: int) -> int:
    """Return how many traders a cohort has where the scenario has so many: its count, or its share to the nearest."""
    return population.count or int(population.share * traders + 0.5)
