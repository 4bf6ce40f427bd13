"""How a package leaves: lists, manifests and archives as pure generators over its contents.

Every export is a function of a published version and an address: the same inputs give the same
bytes, whenever and however often they are read. Nothing here holds more than a batch in memory.
"""
