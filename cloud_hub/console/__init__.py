"""The console: the fleet in a browser, over the same reads and acts as the command line."""
