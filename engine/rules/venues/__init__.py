"""Real venues, and a textbook one: a rule set each, every number with its source."""
