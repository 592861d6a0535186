"""Measures of how well signals tell right calls from wrong ones, and the risk model that combines them."""
