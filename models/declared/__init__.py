"""The parts of a use case's declaration, by who reads them: signals, learning, judging, retraining."""
