"""What each part of ELM-GRU-AM is worth: the model without it, on the same split by subject; JSON on stdout.

python -m benchmarks.bench_ablation [--sets ku-har,hapt] [--parts selection,…] [--seed 0] [--epochs N]
"""

from __future__ import annotations

import argparse
import json
import sys

from app.har.classifiers.elm_gru_am.classifier import ActivityClassifier
from app.har.classifiers.elm_gru_am.config import PARTS, ModelConfig
from app.har.evaluation.scores import compare, evaluate
from app.har.evaluation.splits import split_windows
from benchmarks.data import windows_of


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sets", default="ku-har,hapt")
    parser.add_argument("--parts", default=",".join(PARTS))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--epochs", type=int)
    options = parser.parse_args()
    result: dict[str, object] = {"seed": options.seed}
    for name in options.sets.split(","):
        windows = windows_of(name)
        split = split_windows(windows, "subject", options.seed)
        train, test = windows.take(split.train), windows.take(split.test)
        answers = {}
        figures: dict[str, dict[str, object]] = {}
        for part in ("", *options.parts.split(",")):
            title = f"without {part}" if part else "complete"
            print(f"{name}: {title}", file=sys.stderr, flush=True)
            model = ActivityClassifier(ModelConfig(without=(part,) if part else ()))
            model.fit(train, seed=options.seed, epochs=options.epochs)
            answers[title] = model.predict_proba(test)
            metrics = evaluate(test, answers[title], fit_seconds=0, predict_seconds=1)
            figures[title] = {"f1": round(metrics.f1.value, 4), "accuracy": round(metrics.accuracy.value, 4)}
            if part:
                (pair,) = compare(test, {title: answers[title], "complete": answers["complete"]})
                figures[title]["f1_change"] = f"{pair.f1.value:+.4f} ({pair.f1.low:+.4f} to {pair.f1.high:+.4f})"
        result[name] = figures
    print(json.dumps(result, indent=1, ensure_ascii=False))


if __name__ == "__main__":
    main()
