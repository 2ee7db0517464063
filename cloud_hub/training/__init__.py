"""From a dataset to a judged candidate: split, fit, measure, gate."""
