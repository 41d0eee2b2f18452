"""Write docs/REFERENCE.md from the program itself: settings, pages, commands, formats, results, problems.

``make reference`` (python -m devtools.reference). A test fails while the page says anything else than the program.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click
from flask import Flask

if TYPE_CHECKING:
    from app.har.measures.cut_points import CutPoints

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "REFERENCE.md"
SETTINGS = {  # environment variable: default, meaning
    "HAR_HOME": ("this folder", "Where `instance/`, `uploads/` and `model_store/` are."),
    "HOST": ("127.0.0.1", "The address to listen on; 0.0.0.0 for every network of the machine."),
    "PORT": ("5000", "The port to listen on; 0 takes any that is free."),
    "DATABASE_URL": (
        "SQLite in `instance/`",
        "A server's database: `postgresql://kinelab:PASSWORD@HOST/kinelab` ([how](DEPLOYMENT.md#postgresql)).",
    ),
    "SECRET_KEY": ("made at the first start", "The key that signs sessions, where it should not be in `instance/`."),
    "ENCRYPTION_KEY": (
        "none",
        "The key under which everything about people is sealed, as text (`flask keys new`, `flask keys export`); "
        "several with commas between while one takes the place of another.",
    ),
    "ENCRYPTION_KEY_FILE": (
        "`~/.config/kinelab/keys`",
        "The file of keys, one a line, outside of HAR_HOME; the first start makes it. Losing it is losing the data.",
    ),
    "ENCRYPTION_PASSPHRASE": ("none", "Instead of both: what the key is derived from, at least 12 letters."),
    "MAX_UPLOAD_MB": ("2048", "The largest upload, in megabytes."),
    "FEDERATION_MIN_WINDOWS": ("4000", "Sums for other sites are not given away of fewer windows."),
    "FEDERATION_MIN_PEOPLE": ("5", "Nor of an activity that fewer people did, 2 at least."),
    "HTTPS": (
        "off",
        "`1` behind TLS: cookies are then sent over https only, and browsers told to use nothing else. `own`: Kinelab "
        "serves TLS itself, with a certificate of an authority of its own (`make run-https`); `HOST` is then 0.0.0.0.",
    ),
    "TLS_NAMES": ("none", "Names and addresses, with `,` between, that the own certificate has besides the machine's."),
    "PROXIES": (
        "0",
        "How many proxies stand in front of Kinelab, usually 1 behind TLS: who a visitor is and which host they asked "
        "for is then what the last of these proxies says (`X-Forwarded-For`, `-Proto` and `-Host`).",
    ),
    "SESSION_HOURS": ("12", "After how many hours a session ends, whatever is done in it."),
    "SESSION_IDLE_MINUTES": ("30", "After how many minutes without a request a session ends."),
    "DATA_FOLDERS": (
        "`HAR_DATA_DIR`, if set",
        "The folders, with `:` between (Windows: `;`), from which administrators may add data sets by their path.",
    ),
    "HAR_DATA_DIR": ("none", "Where the tests and benchmarks find the real recordings."),
    "AUDIT_DAYS": ("365", "For how many days the audit log is kept."),
    "VALID_DAY_HOURS": ("10", "For how many hours a device must be worn so that a day of measures is valid."),
    "USER_QUOTA_MB": ("5120", "What the recordings of one user may take on the disk, in megabytes."),
    "DISK_RESERVE_MB": ("512", "What stays free on the disk, in megabytes; a file that would leave less is refused."),
    "API_REQUESTS_A_MINUTE": ("1200", "How many requests a minute one token of the API may send."),
    "THREADS": ("12", "How many requests are answered at the same time."),
    "MAX_CONNECTIONS": (
        "200",
        "Connections open at once; then the oldest idle one of the busiest address is closed.",
    ),
    "READERS": ("2", "How many uploads are read and recognised at the same time, each in a process of its own."),
    "READ_QUEUE": ("4", "How many more uploads may wait for that; further ones are asked to come back later."),
    "READ_TIMEOUT_S": ("300", "Seconds that reading and recognising an upload may take."),
    "READ_MEMORY_MB": (
        "3072",
        "Memory that reading and recognising an upload, or adding a data set, may take besides the program itself, in "
        "megabytes; on Windows it is not limited.",
    ),
    "ADD_TIMEOUT_S": ("21600", "Seconds that adding a data set may take."),
    "SITE_URL": ("none", "The address by which others reach Kinelab, for links in messages of alarms and events."),
    "SMTP_HOST": ("none", "The mail server that sends messages of alarms; without it there is no e-mail."),
    "SMTP_SECURITY": ("starttls", "How the mail server is spoken to: `starttls`, `tls`, or `none` without a password."),
    "SMTP_PORT": ("587, 465 or 25", "Its port; the default is that of SMTP_SECURITY."),
    "SMTP_USER": ("none", "The account on the mail server."),
    "SMTP_PASSWORD": ("none", "Its password."),
    "SMTP_FROM": ("none", "The address that e-mails come from."),
    "OIDC_ISSUER": (
        "none",
        "The provider of single sign-on (OpenID Connect), exactly as it names itself: `https://login.clinic.example`. "
        "Without it there are local accounts alone ([how](DEPLOYMENT.md#single-sign-on)).",
    ),
    "OIDC_CLIENT_ID": ("none", "What this site is called at the provider."),
    "OIDC_CLIENT_SECRET": ("none", "Its secret there; without one it is a public client."),
    "OIDC_CLIENT_SECRET_FILE": ("none", "Instead: a file that holds the secret."),
    "OIDC_NAME": ("single sign-on", "What the log-in page calls the provider."),
    "OIDC_SCOPES": ("openid email profile", "What is asked of the provider, with spaces between."),
    "OIDC_NEW_ACCOUNTS": ("1", "`0`: only accounts that are there already can be linked; nobody gets a new one."),
    "OIDC_ROLE_CLAIM": (
        "none",
        "The claim that roles follow, with `/` between names on the way: `groups`, `realm_access/roles`. Without it, "
        "roles are given here alone.",
    ),
    "OIDC_ROLES": (
        "none",
        "Which value of the claim gives which role (`user`, `caregiver`, `admin`): `lab-admins=admin,nurses=caregiver,"
        "*=user`. `*` is everybody else; without it, who has none of the values is refused.",
    ),
    "OIDC_SECOND_FACTOR": (
        "none",
        "Values of `amr`, with commas between (`mfa`): where the provider names one, an account with a second factor "
        "is not asked for its code. Otherwise it is.",
    ),
    "OIDC_CA_FILE": ("the usual authorities", "Certificates of the authority that the provider's is from."),
    "WEBHOOK_HOSTS": (
        "none",
        "Machines, with commas between and perhaps a port (`hooks.lab:8080`), to which webhooks may go although they "
        "are on an inner network or without https.",
    ),
    "VAPID_CONTACT": (
        "none",
        "A real address of the administrator (`mailto:…`), which push services want to know; without it there are no "
        "notices in browsers.",
    ),
    "BACKUP_KEY_FILE": ("none", "A file with the passphrase of backups in its first line; without it you are asked."),
    "METRICS_TOKEN": (
        "none",
        "What Prometheus must show to read `/metrics` (`Authorization: Bearer …`), at least 20 letters; without it, "
        "`/metrics` is for programs on the same machine alone.",
    ),
    "MAX_STREAMS": ("300", "Live pages that are open at once, besides the connections."),
    "CONNECTION_TIMEOUT_S": ("120", "Seconds after which a silent connection is closed."),
}
COLUMNS = {  # of the tables of a result: meaning
    "window": "Number of the window in the file, from 1.",
    "recording": "Name of the recording in the file.",
    "start_s": "Start, in seconds on the recording's own clock.",
    "end_s": "End, likewise.",
    "start_utc": "Start by the clock on the wall, in UTC; empty where it is not known.",
    "end_utc": "End, likewise.",
    "period": "`day` or `hour`.",
    "start": "Start of the day or hour, in the time zone asked for.",
    "end": "Its end, likewise.",
    "activity": "The answer: the deepest activity or group of activities that is at least as probable as the limit; "
    "`Uncertain` where there is none, `Unfamiliar` where the movement is unlike anything that the model knows. "
    "`Not worn`: the device lay still for an hour. `Too little`: recorded, but too short for a window. "
    "`missing`: not recorded. Rows of the last two have no window and no probability.",
    "confidence": "Probability of the answer, in bouts its mean; empty where there is no answer.",
    "deepest_activity": "The likeliest activity, however probable; of a bout, by its mean probability. Empty where "
    "several are equally likely.",
    "deepest_confidence": "Its probability, in bouts the mean.",
    "second_activity": "The second likeliest activity.",
    "second_confidence": "Its probability.",
    "true_activity": "The activity that the file itself names.",
    "right": "Whether the answer is that activity, or a group with it; empty where the file names none, where the "
    "model does not know it, and where there is no answer. In metrics: how many answers are.",
    "unfamiliar": "Whether no sensor's signal is like anything in training.",
    "listened_to": "The sensors that the window was recognised from.",
    "windows": "How many windows the bout has, or have the label.",
    "steps": "How many steps the bout has, where its answer is on foot; empty where none are counted.",
    "minutes": "Minutes with this answer.",
    "deepest_minutes": "Minutes in which this activity is the likeliest.",
    "start_local": "Start in the time zone asked for, with its offset from UTC; empty where the time is not known.",
    "end_local": "End, likewise.",
    "model": "Name and version of the model.",
    "smoothed_s": "Bouts of less than so many seconds took the answer around them; 0: windows alone.",
    "personal_windows": "From how many windows of yours the personal model learnt that made these answers; 0: as the "
    "model answers anybody.",
    "corrected_windows": "In how many windows of the file the answer is what you said.",
    "corrected": "Whether the answer is what you said.",
    "p_activity": "Probability of an activity; a column for each that the model knows: `p_Walking`, `p_Sitting` …",
    "label": "An activity that the file itself names.",
    "known": "Whether the model knows this activity, by whatever name.",
    "answered": "How many windows with this label have an answer.",
    "agreement": "`right` as a share of `answered`; empty where no window has an answer.",
    "as_activity": "How many windows with this label have that answer; a column for each answer that occurs.",
}
WHO = {
    "public": "anyone",
    "token": "a device, by its token",
    "api": "a program, by its token",
    "account": "account",
    "user": "user",
    "caregiver": "caregiver",
    "admin": "administrator",
}


def table(headings: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    """Write a table of Markdown."""
    lines = [headings, ("---",) * len(headings), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)


def first_line(text: str | None) -> str:
    return " ".join((text or "").split("\n\n")[0].split())


def pages(app: Flask) -> list[tuple[str, ...]]:
    from app.web.access import PUBLIC_ENDPOINTS, access_of

    rows = []
    with app.app_context():
        for rule in sorted(app.url_map.iter_rules(), key=lambda rule: (str(rule), sorted(rule.methods or ()))):
            if rule.endpoint in PUBLIC_ENDPOINTS:
                continue
            methods = " ".join(sorted((rule.methods or set()) - {"HEAD", "OPTIONS"}))
            does = first_line(app.view_functions[rule.endpoint].__doc__)
            rows.append((f"`{rule}`", methods, WHO[str(access_of(rule.endpoint))], does))
    return rows


def commands(group: click.Group, prefix: str) -> Iterator[tuple[str, click.Command]]:
    """Yield every command below a group by its whole name."""
    from app.cli import LazyCommand

    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        command = command.load() if isinstance(command, LazyCommand) else command
        if isinstance(command, click.Group):
            yield from commands(command, f"{prefix} {name}")
        elif command is not None:
            yield f"{prefix} {name}", command


def columns() -> list[tuple[str, ...]]:
    import numpy as np

    from app.services.recordings import result_tables as made
    from app.services.recordings.prediction_result import PredictionResult
    from app.services.recordings.steps import Steps

    zero, one = np.zeros(1, np.int64), np.ones((1, 1), np.float32)
    text, names = ("activity",), ("recording",)
    # one window of a model that knows one activity
    result = PredictionResult("", text, one, 0.0 * zero, 3.0 + zero, zero, names, zero, text, (), one[:, :0], zero > 0)
    bouts = partial(made.bouts, steps=Steps([None], zero[[0] * len(result.answer_names)] > 0))
    tables = {"windows": made.windows, "bouts": bouts, "days and hours": made.days, "metrics": made.metrics}
    columns = {title: list(table(result).columns) for title, table in tables.items()}
    names = tuple(dict.fromkeys(name for own in columns.values() for name in own))
    of = {name: ", ".join(title for title, own in columns.items() if name in own) for name in names}
    return [(f"`{name}`", of[name], COLUMNS[name]) for name in names]


def own_commands(app: Flask) -> dict[str, click.Command]:
    """Return our commands; those of Flask and its extensions have documents of their own."""
    from app.cli import COMMANDS

    ours = {name for name, (target, _) in COMMANDS.items() if target.startswith("app.")}
    return {name: command for name, command in commands(app.cli, "flask") if name.split()[1] in ours}


def options(command: click.Command) -> str:
    texts = []
    for parameter in command.params:
        if isinstance(parameter, click.Option):
            texts.append(
                f"`{'`, `'.join((*parameter.opts, *parameter.secondary_opts))}`"
                + (f": {parameter.help}" if parameter.help else "")
            )
        else:
            texts.append(f"`{(parameter.name or '').upper()}`")
    return "<br>".join(texts)


def cut_points_row(each: CutPoints) -> tuple[str, ...]:
    limits = [f"{limit:g}" if limit is not None else "–" for limit in (each.light, each.moderate, each.vigorous)]
    return (f"`{each.name}`", each.metric, *limits, each.measured, each.publication)


def document(app: Flask) -> str:
    """Return the page as it should be."""
    from app.har.datasets.loaders import LOADERS
    from app.har.measures.cut_points import CUT_POINTS
    from app.har.problems import ProblemKind
    from app.har.recordings.importers import IMPORTERS
    from app.services.measures.tables import dictionary

    sections = [
        "# Reference",
        "<!-- written by `make reference` from the program itself; a test compares them -->",
        "## Settings\n\nEnvironment variables, read at the start.",
        table(
            ("variable", "default", "meaning"),
            [(f"`{name}`", default, meaning) for name, (default, meaning) in SETTINGS.items()],
        ),
        "## Commands\n\n`.venv/bin/flask …`. With `--json` a command prints one JSON document and nothing else.",
        table(
            ("command", "does", "takes"),
            [(f"`{name}`", first_line(c.help), options(c)) for name, c in own_commands(app).items()],
        ),
        "## Recordings that can be uploaded\n\nRecognised by content; any other table is read by a mapping.",
        table(("layout", "recognised by"), [(own.APP, own.DESCRIPTION) for own in IMPORTERS]),
        "## Data sets that are read as they are\n\nAny other recordings become a data set by a description.",
        table(("name", "data set"), [(f"`{loader.FORMAT}`", loader.TITLE) for loader in LOADERS]),
        "## Results\n\nColumns of the tables to download, as CSV or JSON; `flask predict --json` has the first two, "
        "[notebooks](NOTEBOOK.md) have all.",
        table(("column", "in", "meaning"), columns()),
        "## Daily measures\n\nColumns of the tables of days and hours; [what to know of them](GUIDE.md#days).",
        table(("column", "unit", "definition", "source"), [tuple(own.values()) for own in dictionary("day")]),
        "Cut-points in mg, from which on a slot of 5 s is of an intensity. Of several that fit place and age, the "
        "first is taken unless another is chosen; where none fits, there is no intensity. Without *light*, a "
        "publication says nothing of what is below *moderate*; without *vigorous*, nothing of what is above.",
        table(
            ("name", "metric", "light", "moderate", "vigorous", "measured with and on", "publication"),
            [cut_points_row(each) for each in CUT_POINTS],
        ),
        "## Problems\n\nWhat a page may list of a file or a recording, always with what was found and what was done.",
        table(("problem", "meaning"), [(kind.value, kind.meaning) for kind in ProblemKind]),
        "## Pages",
        table(("address", "method", "who", "does"), pages(app)),
    ]
    return "\n\n".join(sections) + "\n"


def main() -> None:
    with tempfile.TemporaryDirectory() as home:
        os.environ["HAR_HOME"] = home
        from app import create_app

        app = create_app()
        with app.app_context():
            PAGE.write_text(document(app), encoding="utf-8")
    print(f"wrote {PAGE.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
