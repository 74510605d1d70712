"""What schemathesis cannot know by itself: that a picture is one, with a face in it, and that
the address of a kept picture is signed, and what would end a run.

In a request that is meant to be right, each picture becomes a photograph of one person from the
folder FACESEARCH_PHOTOGRAPHS, and the address of a picture one that the server has given. The
other requests are left as they are.
"""

import itertools
import os
import pathlib
import urllib.parse

import schemathesis
from schemathesis.transport.serialization import Binary

NAMES = ("obama.jpg", "obama2.jpg", "biden.jpg", "astronaut.png")
FOLDER = pathlib.Path(os.environ["FACESEARCH_PHOTOGRAPHS"])
PHOTOGRAPHS = itertools.cycle([(FOLDER / name).read_bytes() for name in NAMES])
PARTS = ("user_image", "ref_image", "portrait_image", "image")


MEDIA = "/v3/media/{id}"
# Settings under which what comes after would all be refused, so that nothing more could be seen.
ENDING = {"requests_per_minute": 0, "credits_metered": False}
keys = []  # that were made on the way: the run's own key must not be revoked
addresses = []  # of kept pictures, as the server gave them; null where it keeps none


@schemathesis.hook
def before_call(ctx, case, kwargs):
    if case.meta is None or not case.meta.generation.mode.is_positive:
        return
    if isinstance(case.body, dict):
        for part in PARTS:
            if part in case.body:
                case.body[part] = Binary(next(PHOTOGRAPHS))
    if case.operation.label == "PATCH /v3/settings/" and isinstance(case.body, dict):
        case.body.update({name: value for name, value in ENDING.items() if name in case.body})
    if case.operation.label == "POST /v3/keys/" and isinstance(case.body, dict) and case.body.get("expires_at"):
        case.body["expires_at"] = "2999-01-01T00:00:00Z"  # a key cannot expire in the past
    if case.operation.label == "DELETE /v3/keys/{id}/":
        case.path_parameters["id"] = keys.pop() if keys else "none"
    if case.operation.path == MEDIA and any(addresses):
        address = urllib.parse.urlsplit(list(filter(None, addresses))[-1])
        case.path_parameters["id"] = address.path.rpartition("/")[2]
        case.query.update(urllib.parse.parse_qsl(address.query))
    # Else schemathesis would judge the whole request anew, as it is sent: a number as a text, say.
    case._sync_validated_hashes()


@schemathesis.hook
def after_call(ctx, case, response):
    if case.operation.label == "POST /v3/sessions/" and response.status_code in (200, 201):
        addresses.append(response.json()["portrait_image_url"])
    if case.operation.label == "POST /v3/keys/" and response.status_code == 201:
        keys.append(response.json()["key_id"])
