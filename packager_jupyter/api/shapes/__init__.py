"""The shapes of the REST API: requests are dataclasses, responses TypedDicts.

The OpenAPI document is made from these, and the tests hold every answer against it.
"""
