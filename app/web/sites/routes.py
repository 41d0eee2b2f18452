"""Sites that learn together: who they are, which sums are here, and the joint model."""

from __future__ import annotations

from flask import Blueprint, flash, redirect, render_template, url_for
from flask.typing import ResponseReturnValue

from app.har.errors import HarError
from app.services.datasets import library
from app.services.errors import Invalid, ServiceError
from app.services.federation import merging, received, sites
from app.web.access import access
from app.web.errors import show_at_field, status_of
from app.web.sites.forms import FilesForm, MergeForm, SiteForm

bp = Blueprint("sites", __name__)


@bp.get("/")
@access("admin")
def index() -> str:
    """Show this site's key, the other sites, the sums that are here, and a form that merges them."""
    return _page()


def _page(
    site_form: SiteForm | None = None, files_form: FilesForm | None = None, merge_form: MergeForm | None = None
) -> str:
    files = received.list_files()
    merge_form = merge_form or MergeForm(formdata=None, tokens=[one.token for one in files if one.site])
    _offer(merge_form)
    if merge_form.model.data is None and merge_form.model.choices:
        made_for = [one.model for one in files if one.site]
        merge_form.model.data = max((label for label, _ in merge_form.model.choices), key=made_for.count)
    key = sites.own_public_key()
    return render_template(
        "sites/index.html",
        key=key,
        groups=sites.fingerprint(key),
        sites=[(site, sites.fingerprint(site.public_key)) for site in sites.list_sites()],
        files=files,
        site_form=site_form or SiteForm(formdata=None),
        files_form=files_form or FilesForm(formdata=None),
        merge_form=merge_form,
    )


def _offer(form: MergeForm) -> None:
    form.model.choices = [(version.label, version.label) for version in merging.bases()]
    form.test.choices = [("", "no test"), *((one.name, one.name) for one in library.list_datasets())]


@bp.post("/add")
@access("admin")
def add() -> ResponseReturnValue:
    """Make a site known by its key."""
    form = SiteForm()
    if not form.validate():
        return _page(site_form=form), 422
    try:
        site = sites.add(form.name.data.strip(), form.public_key.data)
    except ServiceError as error:
        if not show_at_field(error, form):
            form.name.errors = [*form.name.errors, str(error)]
        return _page(site_form=form), error.status
    flash(f"Files of {site.name} are taken from now on.", "success")
    return redirect(url_for(".index"))


@bp.post("/<int:site_id>/remove")
@access("admin")
def remove(site_id: int) -> ResponseReturnValue:
    """Take no more files of a site."""
    flash(f"Files of {sites.remove(site_id)} are no longer taken.", "success")
    return redirect(url_for(".index"))


@bp.post("/files")
@access("admin", files=True)
def upload() -> ResponseReturnValue:
    """Keep files with sums."""
    form = FilesForm()
    if not form.validate():
        return _page(files_form=form), 422
    refused: Exception | None = None
    for file in form.files.data:
        try:
            found = received.receive(file.stream, (file.filename or "The file")[:100])
            flash(
                f"Sums of {found.site} are here: {found.n_windows:,} windows of {found.n_people:,} people.", "success"
            )
        except (ServiceError, HarError) as error:
            refused = error
            form.files.errors = [*form.files.errors, str(error)]
    return redirect(url_for(".index")) if refused is None else (_page(files_form=form), status_of(refused))


@bp.post("/files/<token>/delete")
@access("admin")
def delete(token: str) -> ResponseReturnValue:
    """Delete a file with sums."""
    flash(f"The sums of {received.delete(token) or 'an unknown site'} are deleted.", "success")
    return redirect(url_for(".index"))


@bp.post("/merge")
@access("admin")
def merge() -> ResponseReturnValue:
    """Solve the joint head of the sums that are chosen, and show the new model."""
    form = MergeForm()
    _offer(form)
    if not form.validate():
        return _page(merge_form=form), 422
    try:
        paths = [received.path_of(token) for token in form.tokens.data or []]
        if len(paths) < 2:
            raise Invalid("Choose the sums of two sites at least.", field="tokens")
        version = merging.merge(paths, form.model.data, form.name.data.strip(), form.test.data or "")
    except (ServiceError, HarError) as error:
        if not show_at_field(error, form):
            form.model.errors = [*form.model.errors, str(error)]
        return _page(merge_form=form), status_of(error)
    flash(f"The sites have made {version.label}. Its card says what it was learnt from.", "success")
    return redirect(url_for("training.model", version_id=version.id))
