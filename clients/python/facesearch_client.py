"""Calls a facesearch server, with nothing but Python's standard library.

    from facesearch_client import Client

    client = Client("http://127.0.0.1:8080", "YOUR_API_KEY")
    client.enrol("portrait.jpg", vendor_data="user-456")
    answer = client.search("photo.jpg")
    print(answer["face_search"]["status"])

A picture is the path of a file, or the bytes of one. Every answer is the server's JSON as a
dict; the TypedDicts below name its fields. What the server refuses is raised as an ApiError,
whose text is the server's own sentence.
"""

from __future__ import annotations

import base64
import http.client
import json
import os
import time
import urllib.error
import urllib.parse
import urllib.request
import uuid
from typing import Any, List, Optional, TypedDict, Union

DEFAULT_SERVER = "http://127.0.0.1:8080"

Picture = Union[str, "os.PathLike[str]", bytes]


class UserDetails(TypedDict):
    name: str
    document_type: str
    document_number: str  # masked


class ExpectedFalseMatches(TypedDict, total=False):
    expected_false_matches: float  # strangers as near, only when the settings ask for it


class Match(ExpectedFalseMatches):
    session_id: str
    session_number: int
    similarity_percentage: float
    vendor_data: Optional[str]
    verification_date: str
    user_details: UserDetails
    match_image_url: Optional[str]  # works for 60 minutes, without a key
    status: str  # Approved, In Review or Declined
    is_blocklisted: bool


class Entity(TypedDict):
    age: Optional[str]
    bbox: List[int]  # left, top, right, bottom
    confidence: float
    gender: Optional[str]


class Image(TypedDict):
    entities: List[Entity]  # the largest face first
    best_angle: int


class SearchWarning(TypedDict):
    risk: str
    additional_data: Optional[str]
    log_type: str  # information, warning or error
    short_description: str
    long_description: str


class MatchedPerson(TypedDict):
    vendor_data: Optional[str]
    session_ids: List[str]
    best_similarity_percentage: float


class MatchedPeople(TypedDict, total=False):
    people: List[MatchedPerson]  # of all matches, listed or not, only when by_person asked for it


class FaceSearch(MatchedPeople):
    status: str  # Approved, In Review or Declined
    total_matches: int
    matches: List[Match]  # the most similar first
    user_image: Image
    warnings: List[SearchWarning]


class SearchAnswer(TypedDict):
    request_id: str
    face_search: FaceSearch


class FaceMatch(TypedDict):
    status: str
    score: Optional[float]  # similarity in percent; None where there are not two faces
    user_image: Image
    ref_image: Image
    warnings: List[SearchWarning]


class MatchAnswer(TypedDict):
    request_id: str
    face_match: FaceMatch


class Session(TypedDict):
    session_id: str
    session_number: int
    status: str
    vendor_data: Optional[str]
    verification_date: str
    created_at: str
    user_details: UserDetails
    portrait_image_url: Optional[str]
    is_blocklisted: bool
    comment: Optional[str]


class EnrolledSession(Session):
    warnings: List[SearchWarning]  # what is not good about the picture


class SessionList(TypedDict):
    count: int
    results: List[Session]


class Review(TypedDict):
    status: str
    previous_status: str
    comment: Optional[str]
    reviewed_by: str  # the ID of the key
    reviewed_by_name: Optional[str]
    reviewed_at: str


class SavedSearch(SearchAnswer):
    created_at: str
    vendor_data: Optional[str]
    user_image_url: Optional[str]
    reviews: List[Review]  # oldest first


class AuditEntry(TypedDict):
    number: int
    at: str
    application: str
    actor: str
    action: str
    object: str
    detail: str
    previous: str
    hash: str


class Receipt(TypedDict):
    """What an erasure leaves, signed: "facesearch audit receipt FILE" checks its JSON."""

    type: str
    ids: List[str]
    sessions_deleted: int
    searches_deleted: int
    audit_entry: AuditEntry
    public_key: str
    signature: str


class ErasedPeople(TypedDict):
    sessions_deleted: int
    searches_deleted: int
    receipt: Receipt


class ApiError(Exception):
    """An answer that is no success. Its text is the server's sentence."""

    def __init__(self, status: int, code: str, detail: str) -> None:
        super().__init__(detail)
        self.status = status
        self.code = code


# Seconds: of one try, and of the pauses before the next one.
TIMEOUT = 120.0
PAUSE_MIN = 0.5
PAUSE_MAX = 30.0
# What passes by itself: too many requests, a busy server.
PASSING = (429, 503)


class Client:
    """One server and one key. tries is how often a request is sent while the server is busy or
    asks to be called more slowly, with the pauses that it asks for; 1 never sends one again."""

    def __init__(self, server: str = DEFAULT_SERVER, api_key: str = "", tries: int = 6) -> None:
        self.server = server.rstrip("/")
        self.api_key = api_key
        self.tries = max(1, tries)

    def search(self, picture: Picture, *, rotate: bool = False, save: bool = True,
               vendor_data: Optional[str] = None, by_person: bool = False) -> SearchAnswer:
        """Searches the largest face of a picture among everybody who is enrolled. With by_person
        the answer has people too."""
        fields = {"rotate_image": _word(rotate), "save_api_request": _word(save), "vendor_data": vendor_data,
                  "group_by_person": _word(True) if by_person else None}
        return self._form("/v3/face-search/", {"user_image": picture}, fields)

    def match(self, picture: Picture, other: Picture, *, rotate: bool = False,
              decline_threshold: Optional[float] = None) -> MatchAnswer:
        """Compares two faces."""
        threshold = None if decline_threshold is None else str(decline_threshold)
        fields = {"rotate_image": _word(rotate), "face_match_score_decline_threshold": threshold}
        return self._form("/v3/face-match/", {"user_image": picture, "ref_image": other}, fields)

    def enrol(self, picture: Picture, *, session_id: Optional[str] = None, vendor_data: Optional[str] = None,
              full_name: Optional[str] = None, document_type: Optional[str] = None,
              document_number: Optional[str] = None, status: Optional[str] = None,
              verification_date: Optional[str] = None) -> EnrolledSession:
        """Enrols one verified person. With a session_id of your own, a UUID, the same call again
        enrols nobody twice."""
        fields = {"session_id": session_id, "vendor_data": vendor_data, "full_name": full_name,
                  "document_type": document_type, "document_number": document_number, "status": status,
                  "verification_date": verification_date}
        return self._form("/v3/sessions/", {"portrait_image": picture}, fields)

    def sessions(self, **filters: Any) -> SessionList:
        """Lists sessions by limit, offset, status, vendor_data, blocklisted, session_number and name."""
        query = urllib.parse.urlencode({name: _text(value) for name, value in filters.items() if value is not None})
        return self._call("GET", "/v3/sessions/" + ("?" + query if query else ""))

    def decision(self, identifier: str) -> Union[Session, SavedSearch]:
        """One session, or one saved search by its request_id."""
        return self._call("GET", _session_path(identifier, "decision"))

    def update_status(self, session_id: str, new_status: str, comment: Optional[str] = None) -> Session:
        return self._json("PATCH", _session_path(session_id, "update-status"), {"new_status": new_status, "comment": comment})

    def block(self, session_id: str) -> Session:
        return self._json("POST", "/v3/blocklist/add/", {"session_id": session_id, "blocklist_face": True})

    def unblock(self, session_id: str) -> Session:
        return self._json("POST", "/v3/blocklist/remove/", {"session_id": session_id, "unblock_face": True})

    def erase(self, identifier: str) -> Optional[Receipt]:
        """Erases one session, or one saved search, for good. A server that signs none gives no receipt."""
        return self._call("DELETE", _session_path(identifier, "delete"))

    def erase_people(self, vendor_data_list: List[str]) -> ErasedPeople:
        """Erases everything of these people, for good."""
        return self._json("POST", "/v3/users/delete/", {"vendor_data_list": vendor_data_list})

    def _form(self, path: str, pictures: dict, fields: dict) -> Any:
        content_type, body = _multipart({name: _bytes(picture) for name, picture in pictures.items()}, fields)
        return self._call("POST", path, content_type, body)

    def _json(self, method: str, path: str, value: dict) -> Any:
        return self._call(method, path, "application/json", json.dumps(value).encode())

    def _call(self, method: str, path: str, content_type: Optional[str] = None, body: Optional[bytes] = None) -> Any:
        pause = PAUSE_MIN
        for attempt in range(self.tries):
            try:
                return self._once(method, path, content_type, body)
            except urllib.error.HTTPError as answer:
                if attempt + 1 == self.tries or answer.code not in PASSING:
                    raise _api_error(answer) from None
                pause = max(pause, _retry_after(answer))
            except (urllib.error.URLError, http.client.HTTPException, OSError) as error:
                reason = getattr(error, "reason", error)
                raise ConnectionError("The server at %s cannot be reached: %s." % (self.server, reason)) from None
            time.sleep(min(pause, PAUSE_MAX))
            pause *= 2

    def _once(self, method: str, path: str, content_type: Optional[str], body: Optional[bytes]) -> Any:
        request = urllib.request.Request(self.server + path, data=body, method=method)
        request.add_unredirected_header("x-api-key", self.api_key)  # for this server alone
        if content_type:
            request.add_header("Content-Type", content_type)
        with urllib.request.urlopen(request, timeout=TIMEOUT) as response:
            answer, receipt = response.read(), response.headers.get("X-Erasure-Receipt")
        if not answer and receipt:  # an erasure's answer has no body
            answer = base64.urlsafe_b64decode(receipt + "=" * (-len(receipt) % 4))
        try:
            return json.loads(answer) if answer else None
        except ValueError:
            raise ApiError(200, "", "The server's answer is not JSON: %s may not be the address of a facesearch server." % self.server) from None


def _api_error(answer: urllib.error.HTTPError) -> ApiError:
    code, detail = "", "The server answered %d %s." % (answer.code, answer.reason)
    try:
        told = json.loads(answer.read())
        code, detail = told["error"], told["detail"]
    except (ValueError, KeyError, TypeError, OSError):
        pass  # not this server's JSON: the status speaks for itself
    return ApiError(answer.code, code, detail)


def _retry_after(answer: urllib.error.HTTPError) -> float:
    try:
        return float(answer.headers.get("Retry-After", ""))
    except ValueError:
        return 0.0


def _multipart(pictures: dict, fields: dict) -> "tuple[str, bytes]":
    boundary = uuid.uuid4().hex
    parts = []
    for name, value in fields.items():
        if value is not None:
            parts.append(('Content-Disposition: form-data; name="%s"\r\n\r\n' % name).encode() + value.encode())
    for name, data in pictures.items():
        parts.append(('Content-Disposition: form-data; name="%s"; filename="picture"\r\n'
                      "Content-Type: application/octet-stream\r\n\r\n" % name).encode() + data)
    opening = ("--%s\r\n" % boundary).encode()
    body = b"".join(opening + part + b"\r\n" for part in parts) + ("--%s--\r\n" % boundary).encode()
    return "multipart/form-data; boundary=" + boundary, body


def _bytes(picture: Picture) -> bytes:
    if isinstance(picture, bytes):
        return picture
    with open(picture, "rb") as file:
        return file.read()


def _word(value: bool) -> str:
    return "true" if value else "false"


def _text(value: Any) -> str:
    return _word(value) if isinstance(value, bool) else str(value)


def _session_path(identifier: str, action: str) -> str:
    return "/v3/session/%s/%s/" % (urllib.parse.quote(identifier, safe=""), action)
