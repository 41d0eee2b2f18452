"""Height by air pressure: how fast a person goes up or down, and what that says of an answer. Nothing is learnt.

In: air pressure over time, with acceleration beside it; a model's probabilities. Out: climbs; probabilities that agree
with them. May import: signals.
"""
