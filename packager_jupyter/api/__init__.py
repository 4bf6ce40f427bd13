"""What the REST API says, without HTTP: the shapes of its JSON and the calls that make them.

The server's handlers and the in-process client both stand on this room, so a program gets the same
answers whether it asks a server or the library. What changes packages and shares is `recorded`, for
the command line too: it writes the audit.
"""
