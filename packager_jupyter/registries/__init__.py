"""How package clients see us: one folder per ecosystem, a pure protocol module + thin routes."""
