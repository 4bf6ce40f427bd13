"""Getting a package's files: parallel, resuming, verified; behind ``packager get``."""
