"""What crosses the network between a device and the hub, and nothing else.

A device in another language can be written from this package alone: topics,
the batch schema, messages, directives, bundles, and the one notion of time.
"""
