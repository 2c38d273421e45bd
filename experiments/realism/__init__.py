"""Does a market look like a real one: what is looked at, where the real numbers lie, and how well a market does."""
