"""What the figures mean: the head of docs/BENCHMARKS.md, each number of which is taken from the stored results."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Figures = dict[str, Any]
OURS = "elm-gru-am"
NEUTRAL, ATTENTION = "made neutral, in bands", "the network's attention"
BY_QUESTIONS = "what each part said, exactly"
OXFORD, PHONE = "Oxford's own", "the phone's own"


def lines(results: dict[str, Figures]) -> list[str]:
    """Return the lines, as Markdown, from the figures of the benchmarks by name; all of them must be there."""
    return [
        *_against_others(results["folds"]),
        _never_met(results["everyday_rivals"]),
        _true_at_their_depth(results["everyday"]),
        _explained(results["explanations"]),
        _explained_by_questions(results["explanations_everyday"]),
        _explained_at_once(results["explanations_speed"]),
        _labelling(results["labelling"]),
        _smoothing(results["smoothing"]),
        _context(results["context"]),
        _on_a_stored_model(results["transfer"]),
        _without_labels(results["unlabelled"]),
        _pretrained(results["pretraining"]),
        _falls(results["falls"]),
        _asked(results["alarm_delay"]),
        _live(results["live_answers"]["share of windows with the same answer"]),
        _streams(results["live"]),
        _steps(results["steps"]),
        _height(results["height"]),
        _measures(results["measures"]),
        _stress(results["stress"]),
        _body(results["body"]),
        _transitions(results["transitions"]),
        _kills(results["kills"]),
        *_limits(results),
        _exports(results["export"]),
        *_time(results),
    ]


def _against_others(folds: Figures) -> list[str]:
    sets = {"KU-HAR": "ku-har, subject, seeds 0,1,2", "HAPT": "hapt, subject, seeds 0"}
    sets |= {"SP-SW-HAR": "sp-sw-har, subject, seeds 0"}
    of_sets = "; ".join(f"{title} {_lead(folds[name])}" for title, name in sets.items())
    worst = folds[sets["KU-HAR"]]["subject most often wrong"][OURS]
    flattering = folds["ku-har, random, seeds 0,1,2"]["models"][OURS]["f1"]
    return [
        f"- **New people.** Macro F1 of ELM-GRU-AM on people not seen in training, and its lead over the best of the "
        f"other models, with 95 % intervals over people: {of_sets} (`folds`). An interval that holds 0 shows no "
        f"difference.",
        f"- **The paper's protocol flatters.** With windows of one recording on both sides, the same model reaches "
        f"{flattering:.3f} on KU-HAR (`folds`).",
        f"- **One person decides much.** Of {worst['of']:,} windows of subject {worst['subject']} in KU-HAR, "
        f"{worst['wrong']:,} are wrong; without that person the F1 is {worst['f1 of all others']:.3f} (`folds`).",
    ]


def _explained(explanations: Figures) -> str:
    gains = {
        title.partition(",")[0]: figures["better than random order by"]
        for title, figures in explanations.items()
        if title != "seed"
    }
    of = "; ".join(
        f"{title} {rows[NEUTRAL]['deletion'].split()[0]} and "
        f"{rows[NEUTRAL]['insertion'].split()[0]} (attention "
        f"{rows[ATTENTION]['deletion'].split()[0]} and "
        f"{rows[ATTENTION]['insertion'].split()[0]})"
        for title, rows in gains.items()
    )
    return (
        "- **Why.** By how much of the area under its curve an answer falls sooner where what is said to matter is "
        f"taken away, and rises sooner where it is put back, than in random order: {of}; from 0.15 on, by the mean of "
        "both, a page may explain (`explanations`)."
    )


def _explained_by_questions(everyday: Figures) -> str:
    of = "; ".join(
        f"{title.partition(',')[0]} {rows['deletion'].split()[0]} and {rows['insertion'].split()[0]}"
        for title, figures in everyday.items()
        if title.endswith("left out")
        for rows in [figures["better than random order by"][BY_QUESTIONS]]
    )
    return f"- **Why, by questions.** The same of the everyday model, each left out: {of} (`explanations_everyday`)."


def _explained_at_once(speed: Figures) -> str:
    return (
        f"- **Why, of a day.** {speed['bouts, of three windows each']} bouts are explained at once in "
        f"{speed['explain all bouts together, by the clock (s)']:.1f} s by the clock (aim: 2) and "
        f"{speed['explain all bouts together, processor (s)']:.1f} s of the processor's time (one by one in "
        f"{speed['explain all bouts one by one, processor (s)']:.1f} s), by the everyday model in "
        f"{speed['the everyday model: all bouts together, processor (s)']:.1f} s; a window takes "
        f"{speed['in times of its recognition']:.1f} times its recognition (`explanations_speed`)."
    )


def _labelling(labelling: Figures) -> str:
    titles = {"ku-har": "KU-HAR", "hapt": "HAPT"}
    of = "; ".join(
        f"{title} {rows['10 minutes']['ours']:.3f} with 10 minutes of ours, "
        f"{rows['10 minutes']['random']:.3f} with 10 and {rows['30 minutes']['random']:.3f} with 30 of random choice"
        for name, title in titles.items()
        for rows in [labelling[f"{name}, plain-elm, macro F1"]]
    )
    rest = "; ".join(
        f"{title} {rows['10 minutes']['ours']:.3f} with 10 minutes of ours, "
        f"{rows['10 minutes']['random']:.3f} with 10 and {rows['30 minutes']['random']:.3f} with 30 of random choice"
        for name, title in titles.items()
        for rows in [labelling[f"{name}, plain-elm with the rest unlabelled, macro F1"]]
    )
    pages, own = labelling["pages, ms"], "of the processor"
    alone, more = (_reached(labelling, titles, what) for what in ("plain-elm", "plain-elm with the rest unlabelled"))
    return (
        f"- **Which minute to label next.** Macro F1 of new people, from the labels alone: {of}. That 10 minutes of "
        f"ours do what 30 of random choice do {alone}. Together with what of the rest is given an activity without a "
        f"label: {rest}; there it {more}. So learnt, 10 minutes of ours are worth at least 30 of random choice whose "
        f"labels are learnt from alone on {_worth(labelling, titles)}. The next screen takes "
        f"{pages[f'next screen, median, {own}']:.0f} ms {own}, "
        f"95 of 100 at most {pages[f'next screen, 95 of 100, {own}']:.0f} ms; by the clock "
        f"{pages['next screen, median']:.0f} and {pages['next screen, 95 of 100']:.0f} ms (`labelling`)."
    )


def _worth(labelling: Figures, titles: Mapping[str, str]) -> str:
    """Name the data sets where 10 minutes of ours with the rest do at least what 30 of random choice do without."""
    name_of = "{}, plain-elm{}, macro F1"
    reached = [
        title
        for name, title in titles.items()
        if labelling[name_of.format(name, " with the rest unlabelled")]["10 minutes"]["ours"]
        >= labelling[name_of.format(name, "")]["30 minutes"]["random"]
    ]
    return " and ".join(reached) or "none"


def _reached(labelling: Figures, titles: Mapping[str, str], what: str) -> str:
    """Say where 10 minutes of ours do at least what 30 of random choice do."""
    behind = [
        title
        for name, title in titles.items()
        for rows in [labelling[f"{name}, {what}, macro F1"]]
        if rows["10 minutes"]["ours"] < rows["30 minutes"]["random"]
    ]
    return f"is not reached on {' and '.join(behind)}" if behind else "is reached on both"


def _falls(falls: Figures) -> str:
    seeds = [name for name in falls if name.startswith("trained, seed") and "without" not in name]
    shipped = next(rows for name, rows in falls.items() if name.startswith("reference-falls"))
    others = falls["other methods on the same"]
    methods = {"a detector trained on the others": falls[seeds[0]]["all"]}
    methods |= {"`reference-falls`, which never met them,": shipped["sisfall"]}
    methods |= {"a plain Random Forest": falls["plain Random Forest, seed 0"]["all"]}
    methods |= {"the threshold method": falls["threshold"]["all"]}
    said = "; ".join(f"{title} {_told(row)}" for title, row in methods.items())
    elsewhere = "; ".join(
        f"{title} {row['sensitivity'].split()[0]} against {limits['sensitivity'].split()[0]}, "
        f"{row['false alarms an hour'].split()[0]} false alarms an hour against "
        f"{limits['false alarms an hour'].split()[0]}"
        for title, name in ELSEWHERE_FALLS.items()
        for row, limits in [(shipped[name], others[f"{name} · threshold"])]
    )
    elderly = falls[seeds[0]]["elderly"]
    return (
        f"- **Falls.** Research software, not a medical device. SisFall's first trials by subject, with 95 % intervals "
        f"over people: {said}. With {len(seeds)} seed(s) the trained one's sensitivities are "
        f"{', '.join(falls[name]['all']['sensitivity'].split()[0] for name in seeds)} and its false alarms an hour "
        f"{', '.join(falls[name]['all']['false alarms an hour'].split()[0] for name in seeds)}. Of the elderly's daily "
        f"activities it raises {elderly['false alarms an hour']} false alarms an hour, {elderly['false alarms a day']} "
        f"a day. Elsewhere, `reference-falls` against the threshold method: {elsewhere}. These falls are staged, onto "
        f"mats; of real falls the best open result has 14 to 28 false alarms a day (`falls`)."
    )


ELSEWHERE_FALLS = {
    "a watch": "weda-fall", "a trouser pocket": "mobifall", "a pocket, just after walking": "mobifall, after walking",
}  # fmt: skip


def _transitions(transitions: Figures) -> str:
    official, folds = transitions["official split"], transitions["5 folds by subject"]["finder"]
    found, short = official["finder"], folds["transitions"]
    both, alone, rival, untaught = (
        official[name]["windows"] for name in ("both", "elm-gru-am", "minirocket", "untaught")
    )
    points, long, one, strict = "change points", "of the six activities", folds["change points"], "strict F1"
    walks = transitions["sp-sw-har"]["5 folds by subject"]["finder"]
    kinds = ", ".join(
        f"{kind} {each['detected']} of {each['labelled']}" for kind, each in walks["each transition"].items()
    )
    return (
        "- **Transitions.** HAPT with its six postural transitions, 12 activities in windows of 2.56 s, official "
        f"split: macro F1 {both['macro F1']:.3f} where the finder stands beside ELM-GRU-AM (which alone has "
        f"{alone['macro F1']:.3f}; the finder alone {found['windows']['macro F1']:.3f}, by subject "
        f"{folds['windows']['macro F1']:.3f}), MiniRocket {rival['macro F1']:.3f}. The long activities lose nothing: "
        f"F1 {both[long]:.4f} with the finder, {alone[long]:.4f} without; the finder itself has "
        f"{found['windows'][long]:.3f} of them, and {untaught[long]:.3f} where it is taught no transitions. By subject "
        f"{short['detected']} of {short['labelled']} transitions were found to begin within 1 s, and "
        f"{short['inserted']} others. Change points within 1 s: F1 {one['F1']:.3f} by subject, "
        f"{found[points]['F1']:.3f} on the official split (asked .90), MiniRocket "
        f"{official['minirocket'][points]['F1']:.3f}; where changes within a second of unlabelled time count as false, "
        f"{one[strict]:.3f} and {found[points][strict]:.3f}, **below what was asked**. SP-SW-HAR by subject: change "
        f"points {walks[points]['F1']:.3f}; {kinds} (`transitions`)."
    )


def _height(height: Figures) -> str:
    """Say how well air pressure tells stairs, lifts and the level apart."""
    real = height["real"]
    stairs = [row for name, row in real.items() if ", up," in name or ", down," in name]
    walk_name, walk = next((name, row) for name, row in real.items() if ", walking," in name)
    rides = next(row for name, row in real.items() if name.startswith("elevator"))
    calm = {name: row for name, row in height["generated"].items() if "wind" not in name}
    least = min(row["said right"] for name, row in calm.items() if name.startswith("stairs"))
    most = max(row["stairs"] for name, row in calm.items() if not name.startswith(("stairs", "lift")))
    return (
        f"- **Height.** By air pressure alone, of published climbs of stairs at least "
        f"{100 * min(row['said right'] for row in stairs):.1f} % of the windows are said right, and "
        f"{rides['found']} in a lift are found; of walks outside ({walk_name.split(', ')[-1]}, partly in wind) "
        f"{100 * walk['stairs']:.1f} % are said to be stairs. Of generated courses on the noise of three phones in "
        f"calm air, at least {100 * least:.0f} % of stairs are said right, and at most {100 * most:.1f} % of level "
        f"walking, weather, gusts and doors are said to be stairs (`height`)."
    )


def _stress(stress: Figures) -> str:
    """Say what a wrist shows of stress, and why no page shows it."""
    rows = stress["one person left out at a time"]
    earning = [name.removesuffix(" alone") for name, row in rows.items() if _earns(row["less without it"])]
    others = [name.removesuffix(" alone") for name, row in rows.items() if row["less without it"]]
    return (
        f"- **Stress is not shown.** In {stress['people']} people of Stress-Predict, one left out at a time, heart, "
        f"skin and movement tell an hour's tasks from its rests with an area under the curve of "
        f"{rows['all']['area']}. Without {' or '.join(earning)} it is less by more than chance; "
        f"{' and '.join(name for name in others if name not in earning)} earned nothing that an interval shows. But "
        f"the minutes since the start alone reach {rows['time alone, by a forest']['area']}, for everybody had the "
        f"tasks in one order: the score does not show that it is stress, and no page has such an indicator (`stress`)."
    )


def _body(body: Figures) -> str:
    """Say what heart and skin add to movement, and whose they need to be."""
    rows = body["with movement"]
    gains = {name: row for name, row in rows.items() if row["more than movement"]}
    own = [name for name, row in gains.items() if _earns(row["more than of another"])]
    listed = "; ".join(
        f"{name} {row['more than movement']}, of another {row['of another']}" for name, row in gains.items()
    )
    verdict = f"Beyond that, {' and '.join(own)} gained." if own else "None gains beyond that, so the model reads none."
    return (
        f"- **Heart and skin are no input of the model.** Which task {body['people']} people of Stress-Predict do or "
        f"whether they rest, movement alone tells with a macro F1 of {rows['movement alone']['macro F1']} a person, "
        f"the minutes since the start with {rows['minutes alone']['macro F1']}. What channels gain on movement, and "
        f"what they gain where they are another person's at the same minute: {listed}. {verdict} PAMAP2 was not "
        f"measured (`body`)."
    )


def _earns(less: str | None) -> bool:
    """Tell whether an interval, "0.018 (0.004 to 0.034)", lies above 0."""
    return bool(less) and float(str(less).split("(")[1].split()[0]) > 0


def _steps(steps: Figures) -> str:
    """Say how well steps are counted."""
    known, uploaded, others = (
        steps[key] for key in ("walking known, by rate", "as uploaded", "validation, against others")
    )

    def off(row: Figures, key: str = "mean absolute") -> str:
        return f"{100 * abs(row[key]):.1f} %"

    two, phone = others["Kinelab, as uploaded"], others["Kinelab, as uploaded, where the phone counted"]
    arm = steps["as uploaded, by place"]["swinging arm"]
    return (
        f"- **Steps.** Of {uploaded['walks']} walks of five people with a phone in seven places, whose feet were "
        f"watched by switches, the count is off by {off(uploaded)} on average as uploaded, by "
        f"{off(uploaded, 'median absolute')} in the middle and {off(uploaded, 'worst')} at worst; by "
        f"{off(known['50'])} where it is known when they walked. To put the phone away at the beginning and the end "
        f"counts as walking. On two people: {off(two)}, Oxford's own counter {off(others[OXFORD])}; where the phone "
        f"counted, {off(phone)} against its {off(others[PHONE])}. A phone in a swinging hand loses {off(arm, 'mean')}. "
        "Running, stairs and watches were not measured (`steps`)."
    )


def _measures(measures: Figures) -> str:
    """Say how daily measures compare with another program's, and what they cost."""
    same, nights, week = (measures[key] for key in ("same slots", "rest window", "a week at 100 Hz"))
    slots = sum(row["slots"] for row in same.values())
    most = max(row[f"most {metric} differs (mg)"] for row in same.values() for metric in ("ENMO", "MAD"))

    apart = max(
        abs(row[f"Kinelab, {edge} off (min)"] - row[f"skdh, {edge} off (min)"])
        for row in nights.values()
        for edge in ("start", "end")
    )
    return (
        f"- **Days.** ENMO and MAD of two real wrists are those of scikit-digital-health in each of {slots:,} slots of "
        f"5 s, to {most:.0e} mg; on {len(nights)} made-up nights the rest window begins and ends within "
        f"{apart:.1f} min of theirs. Against sleep nothing was measured. The slots of a week at "
        f"100 Hz take {week['slots (s)']:.1f} s and {week['memory above the signal (MiB)']:.0f} MiB above the signal, "
        f"its days and hours {week['rows (s)']:.1f} s (`measures`)."
    )


def _kills(kills: Figures) -> str:
    """Say how what was killed in mid-work stands after the next start."""
    works = {name: row for name, row in kills.items() if isinstance(row, dict)}
    killed, between = (sum(row[key] for row in works.values()) for key in ("kills", "between"))
    before = sum(row["untouched"] for row in works.values())
    names = "; ".join(works)
    return (
        f"- **Killed in mid-work.** {killed} kills by SIGKILL at random moments ({names}), each followed by a start: "
        f"{before} left all as it was, {killed - before - between} finished, {between} in between (`kills`)."
    )


def _asked(delay: Figures) -> str:
    page, answer = delay["app, a message a second: page"], delay["app, a message a second: answer to the phone"]
    soon = delay["phone page, twice a second after hard movement: answer to the phone"]
    return (
        f"- **Asked after a fall.** Through the real server, the live page asks {page['median s']:.1f} s after the "
        f"impact, in the middle, and {page['longest s']:.1f} s at the latest; the phone page, which learns it with the "
        f"answer to its next message, {soon['median s']:.1f} and {soon['longest s']:.1f} s after it. If it sent a "
        f"message a second, as apps do, these were {answer['median s']:.1f} and {answer['longest s']:.1f} s. A fall is "
        f"decided by the 3 s after its impact. The question can be answered at once; nobody else is told before the "
        f"60 s in which steps end it and the 30 s that are heard are over. Asked after were {page['asked']} of "
        f"{page['falls']} falls, and {soon['asked']} of {soon['falls']} (`alarm_delay`; a quiet machine, one run)."
    )


def _live(by_set: Figures) -> str:
    n_windows = sum(own["windows"] for own in by_set.values())

    def share(kind: str) -> str:
        return f"{100 * sum(own[kind] * own['windows'] for own in by_set.values()) / n_windows:.1f} %"

    worst = min(by_set, key=lambda name: by_set[name]["at the end"])
    return (
        f"- **A stream and its upload.** Of {n_windows:,} windows of {len(by_set)} sources, the recording that a "
        f"stream becomes is answered as the same file uploaded in {share('recording')}, and the live page's last "
        f"answers are the same in {share('at the end')} (least: {worst}, {100 * by_set[worst]['at the end']:.1f} %). "
        f"In the file of Sensor Logger linear acceleration ends long before the rest; an upload does without it from "
        f"the beginning, which a stream cannot know. What the page says first is the same in {share('first')}, and six "
        f"seconds later in {share('after 6 s')}: an upload measures every window against all walking of its recording, "
        f"that to come included, and smooths over it; before there is any, the page says *on foot* or *still* where an "
        f"upload knows stairs or sitting. On another branch are {share('against')} of its first answers "
        f"(`live_answers`)."
    )


def _streams(live: Figures) -> str:
    steady, costs = live["steady"], live["costs"]
    in_time = [phones for phones, step in live["ramp"].items() if step["p95 (s)"] <= 2.0]
    first = next(iter(live["ramp"]))
    others = max(0.0, *(step["other programs (cores)"] for step in live["ramp"].values()))
    many = f"{in_time[-1]} are told of within 2 s" if in_time else f"already {first} are told of later than 2 s"
    last, at_last = list(live["ramp"].items())[-1]
    return (
        f"- **How many streams.** {steady['phones']} made-up phones, {steady['minutes']:g} minutes, beside "
        f"other programs that took {steady['other programs (cores)']} cores: the p95 from a batch to its event is "
        f"{steady['from a batch to its event, p95 (s)']} s (aim: 0.5), "
        f"{_percent(steady['seconds recognised, of those sent'])} of the seconds sent were recognised (aim: all), all "
        f"processes hold at most {steady['memory of all processes, at most (MiB)']} MiB (aim: 400, and flat; of the "
        f"halves {' and '.join(map(str, steady['memory, first and second half (MiB)']))} MiB). Beside other programs "
        f"that took at most {others} cores, {many} (p95; aim: 150); at {last} the process takes "
        f"{at_last['processor (cores)']} cores, and its threads wait for each other. Of the processor, a window "
        f"of a stream costs {costs['window of a stream against one of the long file']} of what `recognise` costs in a "
        f"file of a minute, and {costs['window of a stream against a file of one']} of what it costs on a file of "
        f"one window, which is what a page would take that asked for each by itself (aim: 0.25, reached against "
        f"whichever is below it). A phone is answered each second, an upload each three (`live`; how many "
        f"phones there may be was measured last, by a build whose messages cost less)."
    )


def _told(row: Figures) -> str:
    told = (
        f"tells of {row['sensitivity']} of {row['falls']} falls at a specificity of {row['specificity']} and "
        f"{row['false alarms an hour']} false alarms an hour, {row['false alarms a day']} a day"
    )
    if not row.get("delay s, median"):
        return told
    return f"{told}, {row['delay s, median']} s after the impact (at most {row['delay s, longest']})"


def _on_a_stored_model(transfer: Figures) -> str:
    of_sets = []
    for title, name in {"HAPT": "hapt", "MotionSense": "motion-sense"}.items():
        pairs = (
            f"{row['head on the base']:.3f} against {row['head from scratch']:.3f} with {n}"
            for n in (1, 10, "all")
            for row in [transfer[name][f"{n} windows"]]
        )
        of_sets.append(f"{title} {', '.join(pairs)}")
    return (
        "- **On a stored model.** Macro F1 on people not seen in training, of heads solved on KU-HAR's reference model "
        f"against heads from scratch, by windows of each activity: {'; '.join(of_sets)} (`transfer`, seeds 0, 1, 2)."
    )


def _without_labels(unlabelled: Figures) -> str:
    of_sets: list[str] = []
    few: list[str] = []
    spread: list[str] = []
    sets = {"KU-HAR": "ku-har", "HAPT": "hapt", "MotionSense": "motion-sense"}
    for title, name in sets.items():
        of_set, shares = unlabelled[name], []
        for share in (1, 5, 20):
            row = of_set[f"{share} % of the labels"]
            shares.append(f"{_mean(row['without']):.3f} → {_mean(row['with']):.3f} with {share} %")
        everything = _mean(of_set["100 % of the labels"]["without"])
        of_sets.append(f"{title} {', '.join(shares)}, and {everything:.3f} with all labels")
        for of_all, way in ((few, "5 % of the labels"), (spread, "5 % of the labels, window by window")):
            of_all.append(f"{100 * _mean(of_set[way]['of all labels']):.1f} % for {title}")
    rows = [row for name in sets.values() for row in unlabelled[name].values() if "with" in row]
    changes = [b - a for row in rows for a, b in zip(row["without"], row["with"], strict=True)]
    used = [used for row in rows for used in row["used"]]
    losses = [change for u, change in zip(used, changes, strict=True) if u and change < 0]
    refused = sum(not u for u in used)
    most = max((unlabelled[name]["5 % of the labels"] for name in sets.values()), key=lambda r: max(r["seconds"]))
    cases = [row for name in sets.values() for row in list(unlabelled[name].items())[-2:]]
    gains = {
        kind: [b - a for title, row in cases if kind in title for a, b in zip(row["without"], row["with"], strict=True)]
        for kind in ("nobody labelled", "all are of")
    }
    of_other = [f"{1000 * min(found):+.0f} to {1000 * max(found):+.0f}" for found in gains.values()]
    return (
        "- **From recordings without labels.** Macro F1 of heads on people not seen in training, without and with what "
        f"recordings without labels show, by the share of labels: {'; '.join(of_sets)} (seed {unlabelled['seeds']}). "
        f"5 % of the labels, in pieces of up to five windows, then reach {', '.join(few)} of the F1 with all of them; "
        f"5 % labelled window by window, and so of more people, {', '.join(spread)}. Where recordings hold two "
        f"activities that nobody labelled, F1 on the others changes by {of_other[0]} thousandths; where all are of "
        f"another data set, by {of_other[1]}. Of {len(used)} trainings, {refused} learnt nothing from them, and of the "
        f"others {len(losses)} did worse on the test people, by {-1000 * min(losses, default=0):.0f} thousandths at "
        f"most. Giving activities to {max(most['without labels']):,.0f} windows without labels took "
        f"{max(most['seconds']):.0f} s of a processor (`unlabelled`)."
    )


def _pretrained(pretraining: Figures) -> str:
    ((title, rows),) = pretraining.items()
    about = rows["pretraining"]
    shares = {share: row for share, row in rows.items() if "of the labels" in share}

    def changes(of: str) -> str:
        return ", ".join(
            f"{row[f'{of}, without']:.3f} → {row[f'{of}, with']:.3f} with {share.removesuffix(' of the labels')}"
            for share, row in shares.items()
        )

    return (
        f"- **Pretraining is not part of the product.** Masked reconstruction of {about['windows without labels']:,} "
        f"windows by the network, before it learns from the labels (HAPT{title.removeprefix('hapt')}; "
        f"{about['people tested']} people tested): macro F1 of the network alone {changes('network')} of the labels; "
        f"of the whole model, whose head it does not change, {changes('whole model')}. One draw of people, so "
        "differences of a hundredth show nothing. 20,000 windows would take "
        f"{about['20,000 windows, computed (min)']:.1f} min of a processor (computed from these; `pretraining`)."
    )


def _mean(values: list[float]) -> float:
    return sum(values) / len(values)


def _never_met(by_set: Figures) -> str:
    sets = {"HAPT": "hapt", "KU-HAR": "ku-har", "MotionSense": "motion-sense", "WISDM watch": "wisdm-watch"}
    of_sets = []
    for title, name in sets.items():
        rivals = {model: row["coarse"] for model, row in by_set[name].items() if model != "everyday"}
        best = max(rivals, key=lambda model: rivals[model])
        of_sets.append(f"{title} {by_set[name]['everyday']['coarse']:.3f} (best rival {rivals[best]:.3f}, {best})")
    return (
        "- **A phone never met.** With a whole data set left out of training, macro F1 of the everyday model in still, "
        f"walking, stairs and running: {'; '.join(of_sets)} (`everyday_rivals`, seeds 0, 1, 2)."
    )


def _true_at_their_depth(everyday: Figures) -> str:
    by_set = {"KU-HAR": "ku-har", "HAPT": "hapt", "MotionSense": "motion-sense", "WISDM watch": "wisdm-watch"}
    by_set |= {"Oxford walking": "oxford-walk", "STM": "stm-har"}
    by_set |= {"SP-SW-HAR phone": "sp-sw-har-phone", "SP-SW-HAR watch": "sp-sw-har-watch"}
    rows = {title: everyday["together"][name] for title, name in by_set.items()}
    true = "; ".join(
        f"{title} {row['true']:.3f} ({row['deep_activity'] + row['deep_stairs']:.2f}, {row['deep_nothing']:.2f})"
        for title, row in rows.items()
    )
    return (
        "- **How true the answers are** that the everyday model gives of a data set left out, at the depth at which it "
        "gives them, where nobody says where the device was worn; in brackets the shares that say more than still, on "
        f"foot or running, and that say nothing: {true} (`everyday`, seeds {everyday['seeds']})."
    )


def _smoothing(by_set: Figures) -> str:
    sets = {"HAPT": "hapt", "WISDM watch": "wisdm-watch", "MotionSense": "motion-sense", "KU-HAR": "ku-har"}
    of_sets = []
    for title, name in sets.items():
        ways = by_set[f"everyday, without {name}"]
        before, after, posterior = (
            next(row for way, row in ways.items() if way.startswith(start))
            for start in ("windows alone", "smoothed", "posterior")
        )
        found, true = f"{before['event F1 at 0.25']:.3f} to {after['event F1 at 0.25']:.3f}", after["true"]
        of_sets.append(f"{title} {found}, {true:.3f} of the answers true ({before['true']:.3f} of windows alone")
        of_sets[-1] += f", {posterior['true']:.3f} by posteriors)"
    return (
        "- **Smoothing** finds bouts, not pieces of them. With a whole data set left out of training, it brings the F1 "
        f"of events from that of windows alone: {'; '.join(of_sets)} (`smoothing`)."
    )


def _context(context: Figures) -> str:
    titles, other = {"HAPT": "hapt", "SP-SW-HAR": "sp-sw-har"}, {"hapt": "sp-sw-har", "sp-sw-har": "hapt"}
    of_sets = []
    for title, name in titles.items():
        for order in ("true order", "shuffled"):
            ways = context[f"{name}, new people, {order}"]
            product = next(row for way, row in ways.items() if way.startswith("hmm ("))
            rows = (product, ways["chain"], ways[f"chain of {other[name]}"], ways["gru, its activities"])
            figures = ", ".join(f"{row['event F1 at 0.25']:.3f} ({row['F1']:.3f})" for row in rows)
            of_sets.append(f"{title}, {order} {figures}")
    gained = [
        ways["gru, its activities, true order alone"]["F1"] - ways["windows alone"]["F1"]
        for ways in (context[f"sp-sw-har, new people, {order}"] for order in ("true order", "shuffled"))
    ]
    return (
        "- **A second stage over the course of a recording**, on new people, F1 of events and in brackets of windows, "
        "by the smoothing that the product has, a chain that learnt when activities change, such a chain from the "
        f"other data set, and a GRU with attention: {'; '.join(of_sets)}. Learnt from SP-SW-HAR in true order alone, "
        f"the GRU changes the F1 of windows by {gained[0]:+.3f} in that order and by {gained[1]:+.3f} in another. Of "
        "one seed and few people, without intervals. None is better than smoothing everywhere, so that none is in the "
        "product (`context`)."
    )


def _lead(folds: Figures) -> str:
    models = folds["models"]
    rival = max((name for name in models if not name.startswith(OURS)), key=lambda name: models[name]["f1"])
    lead = folds["lead"][f"{OURS} before {rival}"]
    return f"{models[OURS]['f1']:.3f}, {lead['f1']:+.3f} ({lead['f1, over people']}) over {rival}"


def _limits(results: dict[str, Figures]) -> list[str]:
    holes, rates = results["holes"]["reference-ku-har"], results["rates"]["rates"]
    without = holes["without gyro"]
    in_g = results["unfamiliar"]["reference-ku-har"]["acceleration in g"]
    turned = results["unfamiliar"]["reference-physiotherapy"]["turned by a quarter about z"]
    return [
        f"- **The ELM head carries the model.** Without it the F1 on HAPT changes by "
        f"{results['ablation']['hapt']['without head']['f1_change']}. What GRU and attention add is too small for this "
        f"test to show (`ablation`).",
        f"- **A missing sensor** costs accuracy: the KU-HAR model is right in "
        f"{_percent(holes['none missing']['accuracy'])} of the windows with both sensors, in "
        f"{_percent(without['accuracy'])} without the gyroscope, and then in "
        f"{_percent(without['its_accuracy'])} of the windows of {without['worst']} (`holes`; two devices: `sensors`).",
        f"- **Slower sensors.** At 25 Hz the F1 on KU-HAR is {rates['25 Hz']['f1, slow copies']:.3f}; it would be "
        f"{rates['25 Hz']['f1, without']:.3f} if the model had not also learnt from slower copies (`rates`).",
        f"- **Wrong units and turned devices.** Given g for m/s², the KU-HAR model is right in "
        f"{_percent(in_g['accuracy'])} of the windows, which is why units are checked first. Turned by a quarter about "
        f"z, the physiotherapy model is right in {_percent(turned['accuracy'])} (`unfamiliar`).",
    ]


def _exports(export: Figures) -> str:
    """Say what reference models lose and cost on small devices."""
    models = {name.removeprefix("reference-"): rows for name, rows in export.items() if isinstance(rows, dict)}

    def span(kind: str, what: str) -> str:
        values = [rows[kind][what] for rows in models.values()]
        return f"{min(values):g} to {max(values):g}"

    formats = {"C": "c", "ONNX": "onnx", "LiteRT": "litert"}
    furthest = max(
        rows[f"{name}, float32"]["largest difference"] for rows in models.values() for name in formats.values()
    )
    eight_bits = "; ".join(
        f"{title} {span(f'{name}, int8', 'bytes, of float32')} of the bytes and "
        f"{100 * max(rows[f'{name}, int8']['F1 lost'] for rows in models.values()):.1f} points of F1 at most"
        for title, name in formats.items()
    )
    speed = ", ".join(f"{title} {span(f'{name}, float32', 'ms a window')}" for title, name in formats.items())
    small = {name: rows["c, small"] for name, rows in models.items()}
    worst = max(row["F1 lost, worst person"] for row in small.values())
    of_small = ", ".join(f"{name} {row['F1']:.3f} ({-100 * row['F1 lost']:+.1f} points)" for name, row in small.items())
    return (
        f"- **On small devices.** The {len(models)} reference models that can be exported: with float32 weights "
        f"within {furthest:g} of the model's probabilities; with weights of 8 bits {eight_bits}; milliseconds a "
        f"window: {speed}. The small model takes {span('c, small', 'flash (KB)')} KB of flash, "
        f"{span('c, small', 'RAM (KB)')} KB of RAM and {span('c, small', 'multiply-adds (millions)')} million "
        f"multiply-adds; its F1 of people held out: {of_small}; of one person it loses {100 * worst:.0f} (`export`)."
    )


def _time(results: dict[str, Figures]) -> list[str]:
    training, day, page = results["model"]["subject"], results["long"], results["recording_page"]
    most = results["cost"]["windows"]["32000"]
    slowest = max(figures["median_ms"] for figures in results["web"]["while a training runs"].values())
    answering, heads = results["answering"], results["personal_speed"]
    saved = results["correction"]["an hour, in Chromium"] or results["correction"]["an hour, served"]
    until_drawn = next(iter(saved.values()))
    seconds, predict, peak = (
        answering[name] for name in ("recording (s)", "flask predict (s)", "flask predict, peak (MiB)")
    )
    return [
        f"- **Training** takes {training[OURS]['fit_seconds']:.0f} s on KU-HAR (DeepConvLSTM: "
        f"{training['deepconvlstm']['fit_seconds']:.0f} s) and {most['fit_seconds']:.0f} s on 32,000 windows "
        f"(`model`, `cost`).",
        f"- **A day at 100 Hz** takes {day['import']['processor (s)']:.1f} s of the processor's time to import, "
        f"{day['its processor time, in times of that of the plain parse']:.1f} times what parsing alone takes, and "
        f"{day['import and recognition']['recognition, processor (s)']:.1f} s to recognise, and "
        f"{day['import and recognition']['peak memory, stored (MiB)']:.0f} MiB (`long`); its page draws all of it in "
        f"{page['look at all of it (ms)']:.0f} ms (`recording_page`).",
        f"- **A correction** in an hour's recording is on the timeline {until_drawn['p50 (ms)']:.0f} ms after the "
        f"click (95 % within {until_drawn['p95 (ms)']:.0f} ms, `correction`). What is learnt from ten windows takes "
        f"{1000 * heads['personal head']['add_s']:.1f} ms, 1/{heads['personal head']['refit_ratio']:,.0f} of solving a "
        f"head of {heads['nodes']:,} nodes anew (`personal_speed`).",
        f"- **From a cold start** `flask predict` recognises {seconds} s in {predict['this build']:.1f} s and "
        f"{peak['this build']:.0f} MiB: {predict['times the other']:.2f} and {peak['times the other']:.2f} times what "
        f"it took with TensorFlow (`answering`).",
        f"- **Pages while a training runs** answer in {slowest:.0f} ms or less, by the median (`web`).",
    ]


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %"
