"""What every model is called and is, for pages and the command line; `registry` has the models themselves."""

from __future__ import annotations

from dataclasses import dataclass

DEPLOYABLE_MODEL = "elm-gru-am"  # of a data set's own activities
EVERYDAY_MODEL = "everyday"  # for devices and people that no data set has
# Models that become versions that people use, and the folders of a run that hold them; others are there to compare
KEPT = {DEPLOYABLE_MODEL: "model", EVERYDAY_MODEL: "model-everyday"}
PRIORS = BALANCED, DAILY = "balanced", "daily life"  # how often an everyday model can expect activities
KINELAB = "Kinelab's own"
FEATURES = "On features of the window: seconds"
NETWORKS = "Networks on the raw signal: minutes"


@dataclass(frozen=True)
class ModelInfo:
    """A model as people see it."""

    title: str
    about: str  # one short sentence: it stands under a check box
    family: str
    relative_cost: float  # measured share of the time of a comparison, for the progress bar alone
    needs_tensorflow: bool = False  # to train it, in epochs; no stored model needs it for its answers


CATALOGUE = {
    DEPLOYABLE_MODEL: ModelInfo(
        "ELM-GRU-AM",
        "Selected features, GRU, attention and extreme learning machine: the model that is kept.",
        KINELAB,
        1.0,
        needs_tensorflow=True,
    ),
    EVERYDAY_MODEL: ModelInfo(
        "Everyday model",
        "For any phone or watch: sitting, walking, stairs, running. It is kept too. Where it is compared, other "
        "activities are left out.",
        KINELAB,
        0.5,
    ),
    "random-forest": ModelInfo("Random Forest", "300 trees that vote.", FEATURES, 0.4),
    "svm": ModelInfo("SVM", "Support vectors with a Gaussian kernel.", FEATURES, 0.05),
    "k-nearest-neighbours": ModelInfo("k-nearest neighbours", "The five windows most alike decide.", FEATURES, 0.02),
    "decision-tree": ModelInfo("Decision tree", "One tree of yes-or-no questions.", FEATURES, 0.02),
    "naive-bayes": ModelInfo("Naive Bayes", "Takes every feature for independent of the others.", FEATURES, 0.02),
    "plain-elm": ModelInfo("Plain ELM", "An extreme learning machine alone.", FEATURES, 0.2),
    "lstm": ModelInfo("LSTM", "Two recurrent layers at about 25 Hz.", NETWORKS, 1.0, needs_tensorflow=True),
    "cnn": ModelInfo("CNN", "Three blocks of convolution.", NETWORKS, 0.6, needs_tensorflow=True),
    "bilstm": ModelInfo(
        "BiLSTM", "Reads the window forwards and backwards at about 25 Hz.", NETWORKS, 2.0, needs_tensorflow=True
    ),
    "deepconvlstm": ModelInfo(
        "DeepConvLSTM",
        "Four layers of convolution, then two of LSTM (Ordóñez and Roggen 2016).",
        NETWORKS,
        4.0,
        needs_tensorflow=True,
    ),
    "transformer": ModelInfo(
        "Transformer", "A small encoder over patches of a tenth of a second.", NETWORKS, 0.6, needs_tensorflow=True
    ),
    "public-recipe": ModelInfo(
        "Public ELM-GRU-AM",
        "A public program's recipe, scored without the labels it copies.",
        NETWORKS,
        0.5,
        needs_tensorflow=True,
    ),
}


def families() -> dict[str, dict[str, ModelInfo]]:
    """Group the models by family: family → name → what it is."""
    return {
        family: {name: info for name, info in CATALOGUE.items() if info.family == family}
        for family in dict.fromkeys(info.family for info in CATALOGUE.values())
    }
