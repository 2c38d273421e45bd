"""Claims and how they are made: runs, paired comparisons, figures, reports and the command line."""
