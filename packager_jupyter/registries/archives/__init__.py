"""Reading uploaded archives without extracting them: bounded, linear, and strict.

Nothing here writes a file. A directory of members is read and checked whole, then single members
are read with a cap. Whatever two readers could understand differently is refused.
"""
