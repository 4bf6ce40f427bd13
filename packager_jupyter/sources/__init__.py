"""Where data lives: one module per kind of storage behind one Protocol (`base.Source`)."""
