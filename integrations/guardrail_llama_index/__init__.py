"""The guard for agents of LlamaIndex."""
