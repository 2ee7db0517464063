"""What runs a bundle's network on a device, and what takes over where that fails.

``device`` puts together what a device has. ``preference`` says which ways there are and which one is best,
``chain`` answers rows with the best way that stands, ``chains`` tends the chains in use. A way is what makes
a runner: ``onnx``, ``native_engines`` (which has ``native`` run engines on a ``gpu``), ``remote``.
"""
