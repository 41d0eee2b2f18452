"""What makes a model a person's: what their examples change in its answers, in closed form.

In: features and probabilities of windows, and what a person says they were. Out: a head that adjusts probabilities.
May import: nothing but the ground; models bring a `Prior` of it, and know nothing of heads.
"""
