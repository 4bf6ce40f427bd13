"""The command line: `packager`, also `jupyter packager`."""
