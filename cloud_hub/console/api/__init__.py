"""``/api/v1``: what the console shows and does, as JSON for programs.

An operation is a function whose signature says everything: what it takes of path, query and
body, and what it answers. What is checked and what the OpenAPI document says come from that
one declaration. People, one's own account and keys are no operations: no token reaches them.
"""
