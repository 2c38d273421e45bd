"""What differs between exchanges: one file an axis, and the presets of real venues."""
