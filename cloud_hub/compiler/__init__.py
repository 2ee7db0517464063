"""From a registered model to the file a device installs."""
