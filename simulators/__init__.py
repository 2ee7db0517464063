"""Machines that do not exist, recorded ones that did, and faults to throw at the factory.

Everything here stands on the far side of a feed socket: the agents under test
are the real ones and cannot tell. What really happened is kept apart, in a
truth directory, so that nothing that learns can peek.
"""
