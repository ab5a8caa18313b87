"""Engines that carry out the training step on the model's weights, block by block."""
