"""The words of the page, as HTML."""

from __future__ import annotations

import html
from collections.abc import Sequence

from tfadvpath.studies.study import Study
from tfadvpath.viewer_server.desk import Shown
from tfadvpath.viewer_server.downloads import Offer

_TITLES = {"html": "HTML", "png": "PNG", "npz": "NPZ", "nifti": "NIfTI", "dicom": "DICOM"}
HEAD = (
    "<h1>Explain an image</h1>"
    "<p>Drop a DICOM, NIfTI, PNG or JPEG file, or a DICOM series as a zip file. It stays on this machine, "
    "and is deleted when this page is closed. For research, not for diagnosis.</p>"
)
PHANTOMS = "<p>Or take a phantom, a generated image of no patient:</p>"


def told(text: str) -> str:
    """Returns what was done, as the status of the page."""
    return f'<p class="told" role="status">{html.escape(text)}</p>'


def trouble(text: str) -> str:
    """Returns what is wrong, which a screen reader says at once."""
    return f'<p class="trouble" role="alert">{html.escape(text)}</p>'


def about(name: str, study: Study, seconds: float) -> str:
    """Returns what was explained, and what the reader passed over.

    Args:
        name: Name by which the person calls the study.
        study: The study.
        seconds: Seconds that it took.
    """
    count = len(study.images)
    blank = int(study.blank.sum())
    slices = f"{count} slice{'' if count == 1 else 's'}" + (f", {blank} of them blank" if blank else "")
    rows, columns = study.grid.slices_shape[1:]
    said = [f"{name}: {slices}, {rows} x {columns} pixels, explained in {seconds:.1f} s."]
    said += [f"Of the file: {remark}." for remark in study.remarks]
    return told(" ".join(said))


def shown(result: Shown) -> str:
    """Returns the viewer's page in a frame, and the formats to download.

    The frame reaches nothing of the page around it.
    """
    address = f"explanations/{result.token}"
    return (
        f"{_downloads(address, result.offers)}"
        f'<iframe title="Explanation of {html.escape(result.name)}" src="{address}/page" '
        'sandbox="allow-scripts allow-downloads"></iframe>'
    )


def _downloads(address: str, offers: Sequence[Offer]) -> str:
    if not offers:  # of a preview
        return ""
    links = "".join(
        f'<a href="{address}/{offer.name}" data-format="{offer.name}">{_TITLES[offer.name]}</a>'
        for offer in offers
        if not offer.reason
    )
    reasons = "".join(
        f"<p>No {_TITLES[offer.name]}: {html.escape(offer.reason)}</p>" for offer in offers if offer.reason
    )
    return (
        f'<nav class="downloads" aria-label="Downloads"><span>Download</span>{links}</nav>{reasons}'
        '<p class="trouble" role="alert" hidden></p>'
    )
