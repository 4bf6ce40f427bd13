"""How a package leaves: lists, ZIP and the formats of other tools."""
