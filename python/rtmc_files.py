"""The writer's place beside examples and tests, which put this folder on their path: rtmc/files.py is where it lives."""
from rtmc.files import save_safetensors

__all__ = ["save_safetensors"]
