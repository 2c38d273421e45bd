"""What delever's speed is measured with: `delever bench`, or `python -m benchmarks` from a checkout."""
