"""Published worked examples, played by the engine."""
