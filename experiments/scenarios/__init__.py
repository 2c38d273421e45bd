"""Scenarios that come with the package, as TOML files to copy and change."""
