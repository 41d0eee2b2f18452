"""The models that ELM-GRU-AM is compared with, by what they read.

In: windows. Out: probabilities. May import: what elm_gru_am may, and its features, ELM and scaling.
"""
