"""The Tornado side: one route table, authentication, REST API and share pages."""
