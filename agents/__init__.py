"""Who trades: cohorts of traders held as columns, one behaviour a file."""
