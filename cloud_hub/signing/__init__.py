"""What may be installed (a TUF repository) and who installs what (directives).

The only holder of signing keys: `andon hub work` and `andon keys` read them, the web listener serves the
signed files and never signs.
"""
