"""Messages for tables of any model: lines, unions, suggestions."""

from typing import Annotated, Literal

import pytest
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from delever.engine.rules.messages import did_you_mean, explain, line_numbers


class Table(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Walk(Table):
    kind: Literal["walk"] = "walk"
    volatility: float = Field(default=0.5, gt=0)


class Replay(Table):
    kind: Literal["replay"] = "replay"
    file: str


class Scenario(Table):
    name: str
    paths: tuple[Annotated[Walk | Replay, Field(discriminator="kind")], ...] = ()
    shares: dict[str, float] = {}


def explained(data: object, text: str = "") -> list[str]:
    with pytest.raises(ValidationError) as caught:
        Scenario.model_validate(data)
    return explain(caught.value, Scenario, "world.toml", text).splitlines()


def test_the_chosen_member_of_a_union_is_not_part_of_the_place() -> None:
    text = 'name = "x"\n[[paths]]\nkind = "walk"\n[[paths]]\nkind = "replay"\nfil = "a.csv"\n'
    data = {"name": "x", "paths": [{"kind": "walk", "volatility": 0}, {"kind": "replay", "fil": "a.csv"}]}
    assert explained(data, text) == [
        "world.toml:2: paths.0.volatility: must be above 0.0 (got 0)",
        "world.toml:4: paths.1.file: is missing",
        "world.toml:6: paths.1.fil: unknown key; did you mean 'file'?",
    ]


def test_an_unknown_kind_lists_the_kinds() -> None:
    assert explained({"name": "x", "paths": [{"kind": "wak"}, {}]}) == [
        "world.toml: paths.0: 'kind' must be 'walk', 'replay' (got wak)",
        "world.toml: paths.1: 'kind' must be one of the known kinds (got none)",
    ]


def test_wrong_types_say_what_would_be_right() -> None:
    assert explained({"name": 3, "paths": 4, "shares": {"a": "much"}}) == [
        "world.toml: name: must be text (got 3)",
        "world.toml: paths: must be a list (got 4)",
        "world.toml: shares.a: must be a number (got 'much')",
    ]
    assert explained([]) == ["world.toml: must be a table of keys (got a list)"]


def test_lines_of_tables_keys_and_items() -> None:
    text = (
        "a = 1  # one\n"
        "b.c = [\n"
        "  { d = 1 },\n"
        "  { d = ']' },\n"
        "]\n"
        "[e.'f g']\n"
        "h = [1, 2]\n"
        "[[k]]\n"
        "[k.m]\n"
        "n = 1\n"
        "[[k]]\n"
        "n = 2\n"
    )
    found = line_numbers(text)
    assert {".".join(path): line for path, line in found.items()} == {
        "a": 1,
        "b": 2,
        "b.c": 2,
        "b.c.0": 3,
        "b.c.1": 4,
        "e": 6,
        "e.f g": 6,
        "e.f g.h": 7,
        "k": 8,
        "k.0": 8,
        "k.0.m": 9,
        "k.0.m.n": 10,
        "k.1": 11,
        "k.1.n": 12,
    }
    assert line_numbers("") == {}


def test_suggestions_are_made_only_for_words_alike() -> None:
    assert did_you_mean("leverge", ["leverage", "mode"]) == "; did you mean 'leverage'?"
    assert did_you_mean("zzz", ["leverage", "mode"]) == ""
