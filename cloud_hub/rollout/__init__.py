"""Sending a release to devices in waves, and stopping when it does harm."""
