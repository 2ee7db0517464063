"""What crosses stages: retraining a model, making it a release."""
