"""The world around the venues: scenario, model, latency, views, randomness, price paths, recording."""
