"""Who may read: shares, passwords, capabilities, limits, audit."""
