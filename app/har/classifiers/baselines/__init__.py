"""The models that ELM-GRU-AM is compared with, by what they read."""
