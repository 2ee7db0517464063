"""What runs a network: one small protocol, an execution for each library, and the chain that falls back.

``runner`` is the protocol, ``onnx``, ``native`` and ``remote`` are executions of it, ``chain`` is what the
pipeline asks.
"""
