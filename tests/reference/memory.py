"""What the reference venue remembers for index, mark and funding rules that look back."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass
class Memory:
    """Everything any rule may look back at, kept for ever."""

    fills: list[tuple[int, Any]] = field(default_factory=list)
    said: dict[Any, tuple[int, int]] = field(default_factory=dict)
    made: dict[Any, int] = field(default_factory=dict)
    index_step: dict[int, int] = field(default_factory=dict)
    mean: dict[int, int] = field(default_factory=dict)
    seen: dict[int, tuple[int, int, int]] = field(default_factory=dict)
    impact: dict[int, tuple[int, int]] = field(default_factory=dict)
    spare: dict[int, int] = field(default_factory=dict)
    premiums: dict[Any, int] = field(default_factory=dict)
    mark_sum: dict[int, int] = field(default_factory=dict)
    index_sum: dict[int, int] = field(default_factory=dict)
    rest: dict[int, int] = field(default_factory=dict)
    day_rate: dict[int, int] = field(default_factory=dict)
