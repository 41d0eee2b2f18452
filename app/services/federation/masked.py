"""A round of masked sums on this site: its secrets are kept from step to step; see `app.har.federation.rounds`."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from app.har.errors import UnreadableData
from app.services import audit
from app.services.audit import Action
from app.services.errors import Conflict, Invalid
from app.services.federation import exchange, sharing, sites
from app.services.files import written_whole
from app.services.models import model_versions

if TYPE_CHECKING:
    from app.har.federation.documents import OfRound
    from app.har.federation.rounds import Round, Secrets
    from app.har.federation.site_sums import Contribution, SharedMap

R = TypeVar("R", bound="OfRound")
OPEN_ROUNDS = 50  # whose secrets are kept at most


@dataclass(frozen=True)
class Kept:
    """What this site keeps of a round that it takes part in."""

    secrets: Secrets
    model: str  # a label
    dataset: str
    shares: Mapping[str, str] = field(default_factory=dict)  # as they were given, see `share`
    masked: str = ""  # SHA-256 of the masked sums that were given


def make_keys(model: str, dataset_name: str, path: Path) -> sharing.Given:
    """Begin to take part in a round: make keys, and write their public halves and how many windows there are (step 1).

    Raises
    ------
    NotFound, Invalid, Conflict, HarError : there is no such model or data set, or they do not fit together.
    """
    from app.har.federation.rounds import Secrets
    from app.har.federation.site_sums import counts_of

    version = model_versions.get(model)
    shared = sharing.shared_map(version)
    counts = counts_of(sharing.windows_of(shared, dataset_name))
    own = Secrets.drawn()
    _make_room()
    _keep(Kept(own, version.label, dataset_name))
    keys = {"share_key": own.public(own.share_private), "mask_key": own.public(own.mask_private)}
    exchange.write(path, {"kind": "keys", "id": own.id, **keys, **sharing.described(shared, version, counts)})
    return sharing.Given(counts, shared.model.activities, {})


def open_round(
    paths: Sequence[Path],
    path: Path,
    threshold: int | None = None,
    noise_for: tuple[float, float, int] | None = None,
) -> int:
    """Put the keys of all sites in one file, which opens the round (step 2); return how many sites must stay.

    Parameters
    ----------
    noise_for : ε, δ and the most windows of a person, to have all sites add noise for; default None.

    Raises
    ------
    InsufficientData, UnreadableData, Invalid : too few sites, or they do not fit together.
    """
    from app.har.federation.documents import KeysDocument, parsed
    from app.har.federation.noise import Privacy
    from app.har.federation.rounds import check_members, usual_threshold

    members = [parsed(KeysDocument, exchange.opened(one).document, one.name) for one in paths]
    threshold = usual_threshold(len(paths)) if threshold is None else threshold
    check_members(members, threshold)
    texts = [base64.b64encode(one.read_bytes()).decode() for one in paths]
    wanted = {"noise": asdict(Privacy(*noise_for))} if noise_for else {}
    document = {"kind": "round", "made": exchange.today(), "threshold": threshold, "members": texts, **wanted}
    exchange.write(path, document)
    return threshold


def share(round_path: Path, path: Path) -> None:
    """Share this site's seeds with the others (step 3).

    Asked again, it gives the same shares: others would be sealed with the same keys, and both together tell of each.
    """
    from app.har.federation.rounds import shares_for

    round_, me, kept = _taking_part(round_path)
    shares = kept.shares or shares_for(round_, me, kept.secrets)
    _keep(replace(kept, shares=shares))
    exchange.write(path, {"kind": "shares", "made": exchange.today(), "round": round_.digest, "shares": shares})


def mask(round_path: Path, shares_paths: Sequence[Path], path: Path) -> sharing.Given:
    """Write this site's masked sums (step 4), of activities that enough people did at any sites that may stay.

    Raises
    ------
    Conflict : the data set has changed since the keys were made, or this site has given other masked sums before, of
        which the difference would tell.
    InsufficientData : too few windows or people could be left, or too few sites have shared their seeds.
    """
    import numpy as np

    from app.har.federation.documents import SharesDocument
    from app.har.federation.rounds import masked_sums
    from app.har.federation.site_sums import counts_of

    round_, me, kept = _taking_part(round_path)
    shared = _of_round(SharesDocument, shares_paths, round_)
    map_ = sharing.shared_map(model_versions.get(kept.model))
    exchange.check_map(round_.members[me], map_, round_path.name)
    windows = sharing.windows_of(map_, kept.dataset)
    counts, said = counts_of(windows), round_.members[me].counts
    if (counts.windows != said.windows).any() or (counts.people != said.people).any():
        raise Conflict(f"The data set {kept.dataset} has changed since this site made its keys. Begin a new round.")
    allowed = round_.activities_for(sharing.minimum(), list(shared))
    left_out = {name: int(n) for i, (name, n) in enumerate(zip(map_.model.activities, counts.windows, strict=True))
                if n and i not in allowed}  # fmt: skip
    contribution = round_.given(map_, windows.take(np.isin(windows.y, allowed)), kept.secrets)
    words = masked_sums(round_, me, kept.secrets, shared, contribution)
    digest = hashlib.sha256(words.tobytes()).hexdigest()
    if kept.masked not in ("", digest):
        raise Conflict(
            "This site has given other masked sums in this round already, of other data or for other sites that share "
            "their seeds. Both together could show its sums. Give the first file again, or begin a new round."
        )
    _keep(replace(kept, masked=digest))
    document = {"kind": "masked", "made": exchange.today(), "round": round_.digest, "masked_with": sorted(shared)}
    exchange.write(path, document, words.astype("<u8").tobytes())
    audit.record(
        Action.SUMS_SHARED, f"{kept.dataset} for {kept.model}", windows=contribution.counts.n_windows, masked=1
    )
    return sharing.Given(contribution.counts, map_.model.activities, left_out)


def ask(round_path: Path, masked_paths: Sequence[Path], path: Path) -> list[str]:
    """Write whose masked sums there are, for the sites to answer; return the names of the sites that are missing."""
    from app.har.federation.documents import MaskedDocument

    round_ = _round(round_path)
    stayed = _of_round(MaskedDocument, masked_paths, round_)
    document = {"kind": "ask", "made": exchange.today(), "round": round_.digest, "stayed": sorted(stayed)}
    exchange.write(path, document)
    return [sites.name_of(one.signer) for number, one in round_.members.items() if number not in stayed]


def answer(round_path: Path, shares_paths: Sequence[Path], ask_path: Path, path: Path) -> None:
    """Tell what takes the masks off the sum (step 5): once, for this site's secrets are deleted then."""
    from app.har.federation import rounds
    from app.har.federation.documents import AskDocument, SharesDocument, parsed

    round_, me, kept = _taking_part(round_path)
    shared = _of_round(SharesDocument, shares_paths, round_)
    asked = parsed(AskDocument, exchange.opened(ask_path).document, ask_path.name)
    if asked.round != round_.digest:
        raise UnreadableData(f"{ask_path.name} belongs to another round.")
    told = rounds.answer(round_, me, kept.secrets, shared, asked.stayed)
    if path.exists():
        raise Conflict(f"{path.name} is there already. Choose another name, or delete it first.")
    blank = "0" * 64
    spent = replace(kept.secrets, share_private=blank, mask_private=blank, own_seed=blank, answered=True)
    _keep(
        replace(kept, secrets=spent, shares={})
    )  # before the answer leaves: of two at once, the second finds it answered
    exchange.write(path, {"kind": "answer", "made": exchange.today(), "round": round_.digest, **told})


def merged(paths: Iterable[Path], shared: SharedMap) -> exchange.Merged:
    """Add up the masked sums of a round, and take the masks off."""
    import numpy as np

    from app.har.federation import rounds
    from app.har.federation.documents import AnswerDocument, MaskedDocument, parsed

    by_kind: dict[object, list[Path]] = {}
    for path in paths:
        by_kind.setdefault(exchange.kind_of(path), []).append(path)
    if set(by_kind) - {"round", "masked", "answer"} or len(by_kind["round"]) != 1:
        raise Invalid("Of a round of masked sums, give the one round file, all masked sums and all answers.")
    round_ = _round(by_kind["round"][0])
    exchange.check_map(round_.members[1], shared, by_kind["round"][0].name)
    masked_files = {}
    for path in by_kind.get("masked", []):
        sealed = exchange.opened(path)
        document = parsed(MaskedDocument, sealed.document, path.name)
        if document.round != round_.digest or len(sealed.payload) % 8:
            raise UnreadableData(f"{path.name} belongs to another round, or is cut off.")
        masked_files[round_.number_of(sealed.signer)] = document, np.frombuffer(sealed.payload, "<u8")
    total: Contribution = rounds.total(
        round_, masked_files, _of_round(AnswerDocument, by_kind.get("answer", []), round_)
    )
    names = {number: sites.name_of(member.signer) for number, member in round_.members.items()}
    stayed = [{"name": names[number], "made": masked_files[number][0].made} for number in sorted(masked_files)]
    missing = [name for number, name in names.items() if number not in masked_files]
    return exchange.Merged(total, stayed, missing, round_.noise_of(len(stayed), shared), masked=True)


def _of_round(kind: type[R], paths: Iterable[Path], round_: Round) -> dict[int, R]:
    """Return the documents of files of a round, by the numbers of the sites that signed them."""
    from app.har.federation.documents import parsed

    found: dict[int, R] = {}
    for path in paths:
        sealed = exchange.opened(path)
        document = parsed(kind, sealed.document, path.name)
        if document.round != round_.digest:
            raise UnreadableData(f"{path.name} belongs to another round.")
        found[round_.number_of(sealed.signer)] = document
    return found


def _round(path: Path) -> Round:
    from app.har.federation.rounds import Round

    return Round.of(exchange.opened(path), path.name, sites.name_of)


def _taking_part(path: Path) -> tuple[Round, int, Kept]:
    """Return the round, this site's number in it, and what this site keeps of it."""
    from app.har.federation.rounds import Secrets

    round_ = _round(path)
    me = round_.number_of(sites.own_public_key())
    file = _folder() / f"{round_.members[me].id}.json"
    if not file.is_file():
        raise Invalid("This site has no secrets of this round: they were made in another home, or deleted.")
    document = json.loads(file.read_text(encoding="utf-8"))
    own = Secrets(**document["secrets"]).serving(round_.digest)
    return round_, me, Kept(**{**document, "secrets": own})


def _folder() -> Path:
    folder = sites.folder() / "rounds"
    folder.mkdir(mode=0o700, exist_ok=True)
    return folder


def _keep(kept: Kept) -> None:
    with written_whole(_folder() / f"{kept.secrets.id}.json") as draft:
        draft.touch(mode=0o600)
        draft.write_text(json.dumps(asdict(kept)), encoding="utf-8")


def _make_room() -> None:
    """Forget the rounds that are longest ago."""
    oldest_last = sorted(_folder().glob("*.json"), key=lambda path: path.stat().st_mtime, reverse=True)
    for path in oldest_last[OPEN_ROUNDS - 1 :]:
        path.unlink(missing_ok=True)
