"""The model: two embeddings, as numpy arrays and as a module of PyTorch."""
