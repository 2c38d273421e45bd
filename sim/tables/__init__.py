"""Price tables that come with the package, as data files."""
