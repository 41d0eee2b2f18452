"""ELM-GRU-AM: features ranked by a Random Forest, a GRU with attention, an extreme learning machine.

In: windows. Out: probabilities, with what they were made from: attention, novelty, orientation. May import: the
contract in classifiers, and what classifiers may import.
"""
