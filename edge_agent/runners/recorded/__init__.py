"""Kernel and engine of one window as one recorded CUDA graph: run, and measured, by ``andon bench gpu``.

No part of the chain that answers an agent's rows; ``window_graph`` says why.
"""
