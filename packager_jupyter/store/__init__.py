"""Small mutable state in a database: sources, shares, tokens, audit."""
