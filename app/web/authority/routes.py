"""How a phone comes to trust the certificate of this site, where that is of the lab's own authority."""

from __future__ import annotations

from pathlib import Path

from cryptography import x509
from flask import Blueprint, Response, abort, current_app, redirect, render_template, request
from flask.typing import ResponseReturnValue

from app.services import authority
from app.web import bearer
from app.web.access import access, access_of

bp = Blueprint("authority", __name__)

OPEN = {"authority", "static", "bootstrap"}  # blueprints, and the static files of the program


def insist_on_tls() -> ResponseReturnValue | None:
    """Lead pages that are asked for in plain HTTP to https; how to trust this site is read before it is trusted."""
    endpoint = request.endpoint or ""
    if not current_app.config["OWN_TLS"] or request.is_secure or endpoint.partition(".")[0] in OPEN:
        return None
    if request.method not in {"GET", "HEAD"} or bearer.is_asked() or access_of(endpoint) == "token":
        # A program that was led on would send its token in the clear again, and nobody would notice
        abort(403, "This site is used over https. What was sent could be read on its way, and was not taken.")
    return redirect(request.url.replace("http://", "https://", 1), 302)


@bp.get("/")
@access("public")
def page() -> str:
    """Say how a phone is made to trust this site."""
    certificate = _certificate()
    return render_template(
        "authority/page.html",
        fingerprint=authority.fingerprint(certificate),
        ends=certificate.not_valid_after_utc.date(),
        site=request.host_url.replace("http://", "https://", 1),
    )


@bp.get("/kinelab.crt")
@access("public")
def crt() -> Response:
    """Serve the certificate of the authority."""
    headers = {"Content-Disposition": "attachment; filename=kinelab.crt"}
    return Response(authority.as_crt(_certificate()), mimetype="application/x-x509-ca-cert", headers=headers)


@bp.get("/kinelab.mobileconfig")
@access("public")
def profile() -> Response:
    """Serve the certificate of the authority as a profile for iPhones."""
    headers = {"Content-Disposition": "attachment; filename=kinelab.mobileconfig"}
    return Response(authority.as_profile(_certificate()), mimetype="application/x-apple-aspen-config", headers=headers)


def _certificate() -> x509.Certificate:
    path = Path(current_app.config["TLS_FOLDER"]) / "authority.pem"
    if not (current_app.config["OWN_TLS"] and path.exists()):
        abort(404)
    return authority.Signed.read(path).certificate
