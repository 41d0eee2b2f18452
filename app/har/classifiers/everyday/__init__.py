"""The everyday model: one small model a question, for a device, a placement and a person that no training set had.

In: windows of movement, rotation and gravity. Out: probabilities of activities of the shared vocabulary, and where the
device was worn. May import: the contract in classifiers, and what classifiers may import.
"""
