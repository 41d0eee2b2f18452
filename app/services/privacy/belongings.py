"""Which rows and files are a person's: the one list by which they are exported, erased, and looked for afterwards.

A test compares it with the tables' foreign keys and with the folders that the program uses: whoever adds a table or a
folder says here whose it is.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import ColumnElement, Select, Table, func, or_, select

from app.extensions import db


@dataclass(frozen=True)
class Kept:
    """Rows of a table that are a person's."""

    title: str  # in what they export; "" where it is in it by another way
    by: Mapping[str, str]  # the column that says whose a row is: the table that it refers to
    hidden: tuple[str, ...] = ()  # columns, and parts of them, that nobody is shown: secrets, and hashes of them


USER = "user"
TABLES: dict[str, Kept] = {
    USER: Kept("account", {}, ("password_hash", "second_factor", "second_factor_step")),
    "alarm": Kept("alarms", {"user_id": USER}),
    "alarm_rule": Kept("alarm rules", {"user_id": USER}),
    "alarm_step": Kept("alarm steps", {"alarm_id": "alarm"}),
    "api_token": Kept("access tokens", {"user_id": USER}, ("token_hash",)),
    "calibration": Kept("calibrations", {"user_id": USER, "recording_id": "recording"}),
    "care_consent": Kept("caregivers", {"user_id": USER, "caregiver_id": USER}),
    "consent": Kept("consents", {"user_id": USER}),
    "correction": Kept("corrections", {"user_id": USER, "recording_id": "recording"}),
    "device": Kept("devices", {"user_id": USER}, ("token_hash",)),
    "identity_link": Kept("single sign-on", {"user_id": USER}),
    "kept_answer": Kept("answers to programs", {"user_id": USER}, ("body",)),  # with tokens of devices, perhaps
    "live_session": Kept("live sessions", {"user_id": USER, "device_id": "device"}),
    "login_session": Kept("log-ins", {"user_id": USER}, ("token_hash",)),
    "notice": Kept("messages of alarms and events", {"target_id": "notice_target", "step_id": "alarm_step"}),
    "notice_target": Kept("where messages go", {"user_id": USER}, ("address.secret", "address.keys")),
    "one_time_address": Kept("one-time addresses", {"user_id": USER, "made_by_id": USER}, ("token_hash",)),
    "person_key": Kept("key of files", {"user_id": USER}, ("wrapped",)),
    "personal_head": Kept("personal models", {"user_id": USER}),
    "prediction": Kept("results", {"recording_id": "recording"}),
    "recording": Kept("recordings", {"user_id": USER}),
    "recovery_code": Kept("recovery codes", {"user_id": USER}, ("code_hash",)),
    "saved_mapping": Kept("saved mappings", {"user_id": USER}),
    "upload_attempt": Kept("uploads that were not read", {"user_id": USER}, ("token", "file_token")),
}
NOBODYS = {  # why there is nothing of a person in them
    "bout_label": "of the lab's data sets, with which they go; who labelled goes",
    "dataset": "of the lab; who added it goes, and a person's shared corrections are taken out (`taken_back`)",
    "erasure": "that it happened, not to whom",
    "failed_attempts": "keyed hashes that end after an hour; those of the name go with the account",
    "installation_key": "by what the installation's key is known",
    "model_version": "of many people; see *forget* in docs/GUIDE.md",
    "promotion": "of models; who made it goes",
    "retention": "for how long what is kept",
    "site": "of other labs; who added it goes",
    "training_run": "of the lab; who started it goes",
}
HOLDS = {  # what lies in HAR_HOME, by pattern, and how a person's part of it goes
    "uploads/recording-*": "files of a recording: exported; with its row, by the tombstone",
    "uploads/live-*": "journal of a live session: exported; with its row, by the tombstone",
    "uploads/pending-*": "an upload that waits: exported; by its note, by the tombstone",
    "uploads/personal-*": "what models learnt from a person: exported; with the account, at the start where it is gone",
    "uploads/dataset-*": "an upload of an administrator that becomes a data set; gone at the next start",
    "uploads/.leftovers": "set aside: by the tombstone, after 30 days anyway",
    "uploads/.deleted-*": "what could not be deleted at once: at the start",
    "uploads/.draft-*": "what is being written: a day",
    "instance/kinelab.sqlite*": "the database: `TABLES`",
    "instance/database_key": "by what the database is opened",
    "instance/incoming": "a database that becomes a server's, and goes: before anything else of a start",
    "instance/.backup": "links of a backup that is being written: at the next start",
    "instance/last_backup": "no person's",
    "instance/audit": "exported; names go from the lines (`audit.forget_person`)",
    "instance/erasures": "tombstones: a hash of the account, names of its folders",
    "instance/watching.json": "since when somebody is still: `watching.forget`",
    "instance/datasets": "shared corrections are taken out (`taken_back`)",
    "instance/exports": "models for other devices: no person's",
    "instance/cohorts": "answers for recordings of people without an account; an administrator deletes them",
    "instance/runs": "trainings; of a person a made-up name",
    "instance/federation": "keys, sums of many people; what was given to others is theirs",
    "instance/embedded_example_registered": "no person's",
    "instance/secret_key": "no person's",
    "instance/vapid.pem": "no person's",
    "instance/setup_token": "no person's",
    "instance/server.*": "no person's",
    "instance/tls": "no person's",
    "instance/.falls-*": "while a detector is trained",
    "instance/spare": "room for the database",
    "instance/*.lock": "no person's",
    "model_store": "models: of somebody who agreed that they learn from corrections; *forget* takes it out",
}
MODULES = {  # who uses folders of HAR_HOME; what they keep there is above
    "app.services.alarms.push", "app.services.alarms.watching", "app.services.audit",
    "app.services.cohorts.cohorts",
    "app.services.backups.moment", "app.services.backups.restoring", "app.services.database",
    "app.services.database_changing",
    "app.services.datasets.imports", "app.services.datasets.library", "app.services.falls",
    "app.services.federation.merging", "app.services.federation.network", "app.services.federation.sites",
    "app.services.installation", "app.services.keys", "app.services.live.keeping", "app.services.live.sessions",
    "app.services.models.forgetting", "app.services.models.model_versions", "app.services.models.reference_models",
    "app.services.models.runs", "app.services.models.training", "app.services.personal.head_files",
    "app.services.personal.taken_back", "app.services.privacy.erasing", "app.services.privacy.exporting",
    "app.services.privacy.tombstones",
    "app.services.recordings.pending", "app.services.recordings.quota", "app.services.recordings.recordings",
    "app.services.recordings.uploads", "app.services.sealing_stored", "app.services.transaction", "app.web.bodies",
}  # fmt: skip


def table(name: str) -> Table:
    """Return a table by its name."""
    return db.metadata.tables[name]


def theirs(name: str, user_id: int) -> ColumnElement[bool]:
    """Return what is true of the rows of a table that are a person's."""
    if name == USER:
        return table(USER).c.id == user_id
    routes = []
    for column, other in TABLES[name].by.items():
        own = table(name).c[column]
        routes.append(own == user_id if other == USER else own.in_(_numbers(other, user_id)))
    return or_(*routes)


def _numbers(name: str, user_id: int) -> Select[tuple[int]]:
    return select(table(name).c.id).where(theirs(name, user_id))


def counts(user_id: int) -> dict[str, int]:
    """Return how many rows of each table are a person's; tables without any are left out."""
    found = {
        name: db.session.scalar(select(func.count()).select_from(table(name)).where(theirs(name, user_id))) or 0
        for name in TABLES
    }
    return {name: n for name, n in found.items() if n}
