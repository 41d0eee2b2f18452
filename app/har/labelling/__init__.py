"""Which stretches of a data set are most worth a label next, and what each probably is. No network is trained.

In: the signal of a data set, and what was labelled up to now. Out: its bouts, the next one, a guess.
May import: classifiers, signals, windows.
"""

from app.har.labelling.bouts import Bouts
from app.har.labelling.choice import Choice, Guess
from app.har.labelling.map import LabellingMap, make_map

__all__ = ["Bouts", "Choice", "Guess", "LabellingMap", "make_map"]
