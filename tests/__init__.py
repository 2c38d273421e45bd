"""What delever claims, proven."""
