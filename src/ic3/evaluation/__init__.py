"""Scores of the analytics on labelled data, beside blind baselines."""
