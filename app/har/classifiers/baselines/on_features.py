"""Models on time and frequency features of the whole window: the "existing systems", and an ELM alone."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax, softmax

from app.har.classifiers.base import Classifier
from app.har.classifiers.elm_gru_am.elm import ExtremeLearningMachine
from app.har.classifiers.elm_gru_am.features import per_chunk, window_features
from app.har.classifiers.elm_gru_am.scaling import Scaler
from app.har.evaluation.splits import split_inner
from app.har.progress import OnEvent, Stage
from app.har.types import FloatArray, IntArray
from app.har.windows import WindowSet

Answer = Callable[[FloatArray], FloatArray]  # features of windows (n, n_features) → (n, n_present)
N_JOBS = 2
LOG_SHARPNESS = (-3.0, 4.0)  # keeps a handful of held-out windows, all right, from making a model certain of everything


def _features(windows: WindowSet) -> FloatArray:
    return np.concatenate([values for values, _ in per_chunk(windows, window_features)])


class FeatureModel(Classifier):
    """A model that reads `window_features`; one that compares them with each other gets them standardised."""

    scaled: ClassVar[bool] = True
    scaler_: Scaler | None
    present_: IntArray  # (n_present,) activities that there were windows of
    answer_: Answer

    @abstractmethod
    def _learn(self, X: FloatArray, y: IntArray, windows: WindowSet, seed: int) -> Answer:
        """Return what gives probabilities, having learnt features X and labels y in 0 … n_present - 1."""

    def _fit(self, windows: WindowSet, epochs: int | None, seed: int, on_event: OnEvent) -> None:
        on_event({"stage": Stage.FEATURES, "fraction": 0.0})
        X = _features(windows)
        self.scaler_ = Scaler.of(X) if self.scaled else None
        self.present_, y = np.unique(windows.y, return_inverse=True)
        on_event({"stage": Stage.LEARNING, "fraction": 0.2})
        self.answer_ = self._learn(self.scaler_(X) if self.scaler_ else X, y, windows, seed)

    def _predict_proba(self, windows: WindowSet) -> FloatArray:
        X = _features(windows)
        probabilities = np.zeros((len(windows), len(self.activities)), np.float32)
        probabilities[:, self.present_] = self.answer_(self.scaler_(X) if self.scaler_ else X)
        return probabilities


class RandomForest(FeatureModel):
    """Random Forest (Breiman 2001).

    Parameters
    ----------
    n_trees : how many trees vote; default 300.
    """

    name = "random-forest"
    scaled = False

    def __init__(self, n_trees: int = 300) -> None:
        self.n_trees = n_trees

    def _learn(self, X: FloatArray, y: IntArray, windows: WindowSet, seed: int) -> Answer:
        from sklearn.ensemble import RandomForestClassifier

        forest = RandomForestClassifier(self.n_trees, n_jobs=N_JOBS, random_state=seed).fit(X, y)
        probabilities: Answer = forest.predict_proba
        return probabilities


class DecisionTree(FeatureModel):
    """One tree; leaves of five windows at least, because a leaf of one is always certain."""

    name = "decision-tree"
    scaled = False

    def _learn(self, X: FloatArray, y: IntArray, windows: WindowSet, seed: int) -> Answer:
        from sklearn.tree import DecisionTreeClassifier

        probabilities: Answer = DecisionTreeClassifier(min_samples_leaf=5, random_state=seed).fit(X, y).predict_proba
        return probabilities


class NearestNeighbours(FeatureModel):
    """The five nearest windows, nearer ones counting more."""

    name = "k-nearest-neighbours"

    def _learn(self, X: FloatArray, y: IntArray, windows: WindowSet, seed: int) -> Answer:
        from sklearn.neighbors import KNeighborsClassifier

        probabilities: Answer = KNeighborsClassifier(5, weights="distance", n_jobs=N_JOBS).fit(X, y).predict_proba
        return probabilities


class NaiveBayes(FeatureModel):
    """Gaussian naive Bayes; hundreds of features taken for independent make it far too confident, and this is shown."""

    name = "naive-bayes"

    def _learn(self, X: FloatArray, y: IntArray, windows: WindowSet, seed: int) -> Answer:
        from sklearn.naive_bayes import GaussianNB

        # A feature that hardly varies within an activity would otherwise outvote all the others.
        probabilities: Answer = GaussianNB(var_smoothing=1e-3).fit(X, y).predict_proba
        return probabilities


class ScoringModel(FeatureModel):
    """A model that gives scores; they become probabilities by one temperature, fitted on people held out.

    It learns twice: without the people held out, to see how confident it may be about new ones, and then with them.
    """

    @abstractmethod
    def _score(self, X: FloatArray, y: IntArray, seed: int) -> Answer:
        """Return what gives scores, having learnt features X and labels y."""

    def _learn(self, X: FloatArray, y: IntArray, windows: WindowSet, seed: int) -> Answer:
        fitted, held_out = split_inner(windows, seed)
        sharpness = fit_sharpness(self._score(X[fitted], y[fitted], seed)(X[held_out]), y[held_out])
        score = self._score(X, y, seed)
        return lambda X: np.asarray(softmax(sharpness * score(X), axis=1))


class SVM(ScoringModel):
    """Support vector machine with a Gaussian kernel (Cortes and Vapnik 1995), one against one.

    The score is the number of duels won, with their margins as fractions. scikit-learn's probabilities would take
    six fits, on folds that share people.
    """

    name = "svm"

    def _score(self, X: FloatArray, y: IntArray, seed: int) -> Answer:
        from sklearn.svm import SVC

        machine = SVC(C=10.0, cache_size=1000).fit(X, y)

        def score(X: FloatArray) -> FloatArray:
            found: FloatArray = machine.decision_function(X)
            return np.stack([-found, found], axis=1) if found.ndim == 1 else found  # of two activities: one duel

        return score


class PlainELM(ScoringModel):
    """An extreme learning machine alone (Huang, Zhu, Siew 2006): ELM-GRU-AM without selection, GRU and attention.

    Parameters
    ----------
    n_nodes : hidden nodes; default 3000.
    ridge : as `ExtremeLearningMachine` takes it; default 100.
    """

    name = "plain-elm"

    def __init__(self, n_nodes: int = 3000, ridge: float = 100.0) -> None:
        self.n_nodes, self.ridge = n_nodes, ridge

    def _score(self, X: FloatArray, y: IntArray, seed: int) -> Answer:
        return ExtremeLearningMachine(self.n_nodes, self.ridge, seed).fit(X, y, int(y.max()) + 1).predict


def fit_sharpness(scores: FloatArray, y: IntArray) -> float:
    """Return the factor, an inverse temperature, that makes softmax(factor · scores) likeliest; scores are (n, k)."""

    def loss(log_factor: float) -> float:
        log_p: NDArray[np.float64] = log_softmax(np.exp(log_factor) * scores.astype(np.float64), axis=1)
        return float(-log_p[np.arange(len(y)), y].mean())

    return float(np.exp(minimize_scalar(loss, bounds=LOG_SHARPNESS, args=(), method="bounded").x))
