"""The ways out of a share, one module for each group; the table is in `server.share.recipes`."""
