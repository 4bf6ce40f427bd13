"""Real servers that the tests run against, each on 127.0.0.1, each ending with who started it.

A peer is started as a child process, says in a `Connection` how to reach it, and keeps its files
in one temporary folder. `python tests/peers rgw azurite` keeps them running for many test runs.
"""
