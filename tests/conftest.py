"""In which order tests run; and how hypothesis draws: with no deadline, and the same examples where nobody looks on."""

import os

import pytest
from hypothesis import settings

# A kernel is compiled within the first example that calls it, which no deadline survives.
settings.register_profile("delever", deadline=None, derandomize="CI" in os.environ)
settings.load_profile("delever")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put what compiles in a process of its own first.

    One worker waits for it while the other compiles what all share; else both would compile the same at the same time.
    """
    items.sort(key=lambda item: "compiles" not in item.keywords)
