"""Signals become numbers here, the same numbers on a device and at the hub.

Everything is pure: no clock, no disk, no network. What a kernel means stands in
``reference`` (float64 NumPy); ``cpu`` computes the same fast, and one test holds
the two together. ``sets`` names the versioned feature sets made of them.
"""
