"""How hypothesis draws: without a deadline, and the same examples every time where nobody looks on."""

import os

from hypothesis import settings

# A kernel is compiled within the first example that calls it, which no deadline survives.
settings.register_profile("delever", deadline=None, derandomize="CI" in os.environ)
settings.load_profile("delever")
