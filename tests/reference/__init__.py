"""A slow, obvious venue written from docs/rules.md alone: the oracle for the fast engine."""
