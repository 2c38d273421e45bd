"""Measures of a stored run, as pure functions."""
