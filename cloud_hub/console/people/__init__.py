"""Signing in, accounts, people and their roles."""
