"""Studies that belong to the project: one file each, with QUESTION, design() and main()."""
