"""Scoring at the hub: a service that answers with released models, and scoring rows that are stored."""
