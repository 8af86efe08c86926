"""A Google Drive server on 127.0.0.1 for tests: listings, contents with ranges, consent, tokens, faults on demand.

Here: the parts of ``files``, ``about`` and OAuth that the platform requests, as strict as Google where it matters.
Not here: requests that write. Used by tests and by ``benchmarks/drive.py``.
"""

import base64
import hashlib
import json
import re
import secrets
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

FOLDER = "application/vnd.google-apps.folder"
SHORTCUT = "application/vnd.google-apps.shortcut"
SPREADSHEET = "application/vnd.google-apps.spreadsheet"
CLIENT_ID = "a-client.apps.example"
CLIENT_SECRET = "s3cret-of-the-client"
READONLY = "https://www.googleapis.com/auth/drive.readonly"


@dataclass
class Item:
    id: str
    name: str
    kind: str
    parents: set[str]
    content: bytes = b""
    md5: str = ""
    trashed: bool = False
    target: str = ""

    def facts(self) -> dict[str, Any]:
        facts: dict[str, Any] = {"id": self.id, "name": self.name, "mimeType": self.kind, "trashed": self.trashed}
        if self.target:
            facts["shortcutDetails"] = {"targetId": self.target}
        if self.md5:
            facts |= {"md5Checksum": self.md5, "size": str(len(self.content))}
        return facts


@dataclass
class Fault:
    """A fault in the next ``times`` requests whose path contains ``where``."""

    kind: str
    where: str = "alt=media"
    times: int = 1
    at: int = 0
    """Byte of the answer at which the fault occurs."""
    retry_after: str = ""
    only_in_mid_file: bool = False


@dataclass
class Served:
    """One request that was answered."""

    path: str
    status: int
    range: str
    sent: int
    """Bytes of content sent."""


@dataclass
class DriveServer:
    delay_s: float = 0.0
    page_size: int = 1000
    email: str = "owner@example.org"
    scope: str = READONLY
    refresh_token_expires_in: int | None = None
    items: dict[str, Item] = field(default_factory=dict)
    children: dict[str, list[Item]] = field(default_factory=dict)
    served: list[Served] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    invisible: set[str] = field(default_factory=set)
    access_tokens: set[str] = field(default_factory=set)
    refresh_tokens: set[str] = field(default_factory=set)
    codes: dict[str, dict[str, str]] = field(default_factory=dict)
    token_requests: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)
    url: str = ""

    # Content.

    def add(self, parent: str | None, name: str, kind: str, **more: Any) -> str:
        """Add an entry of any kind to a folder; return its id."""
        item = Item(secrets.token_urlsafe(16), name, kind, {parent} if parent else set(), **more)
        self.items[item.id] = item
        if parent:
            self.children.setdefault(parent, []).append(item)
        return item.id

    def add_folder(self, parent: str | None, name: str) -> str:
        return self.add(parent, name, FOLDER)

    def add_file(self, parent: str, name: str, content: bytes) -> str:
        md5 = hashlib.md5(content, usedforsecurity=False).hexdigest()
        return self.add(parent, name, "application/octet-stream", content=content, md5=md5)

    def change_file(self, file_id: str, content: bytes) -> None:
        self.items[file_id].content = content
        self.items[file_id].md5 = hashlib.md5(content, usedforsecurity=False).hexdigest()

    def add_parent(self, item_id: str, parent: str) -> None:
        self.children.setdefault(parent, []).append(self.items[item_id])

    # Tokens.

    def issue_token(self) -> dict[str, Any]:
        """Issue a token as ``cinematch drive login`` stores it."""
        refresh = f"1//{secrets.token_urlsafe(24)}"
        self.refresh_tokens.add(refresh)
        return {
            "refresh_token": refresh,
            "token_uri": f"{self.url}/token",
            "client_id": CLIENT_ID,
            "client_secret": CLIENT_SECRET,
            "scopes": [READONLY],
        }

    def revoke_all(self) -> None:
        self.refresh_tokens.clear()
        self.access_tokens.clear()

    def read_client_secrets(self) -> dict[str, Any]:
        return {
            "installed": {
                "client_id": CLIENT_ID,
                "client_secret": CLIENT_SECRET,
                "auth_uri": f"{self.url}/o/oauth2/auth",
                "token_uri": f"{self.url}/token",
                "redirect_uris": ["http://localhost"],
            }
        }

    # Requests served.

    def content_requests(self) -> list[Served]:
        return [one for one in self.served if "alt=media" in one.path]

    def bytes_sent(self) -> int:
        return sum(one.sent for one in self.content_requests())

    def fault_for(self, path: str, *, in_mid_file: bool) -> Fault | None:
        with self.lock:
            for fault in self.faults:
                if fault.where in path and fault.times > 0 and (in_mid_file or not fault.only_in_mid_file):
                    fault.times -= 1
                    return fault
        return None

    @contextmanager
    def running(self) -> Iterator["DriveServer"]:
        httpd = _Listening(("127.0.0.1", 0), _Handler)
        httpd.drive = self
        self.url = f"http://127.0.0.1:{httpd.server_address[1]}"
        thread = threading.Thread(target=httpd.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        try:
            yield self
        finally:
            httpd.shutdown()
            httpd.server_close()
            thread.join()


class _Listening(ThreadingHTTPServer):
    drive: DriveServer
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Print nothing when a client closes the connection, which several tests cause."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Listening
    wbufsize = -1
    disable_nagle_algorithm = True

    def log_message(self, *_: Any) -> None: ...

    def do_GET(self) -> None:
        drive, address = self.server.drive, urlsplit(self.path)
        parameters = {key: values[0] for key, values in parse_qs(address.query).items()}
        path = address.path.removeprefix("/drive/v3")
        time.sleep(drive.delay_s)
        fault = drive.fault_for(self.path, in_mid_file="Range" in self.headers)
        if path == "/o/oauth2/auth":
            self._consent(parameters)
        elif fault is None or not self._send_fault(fault):
            self._answer(path, parameters, fault)

    def _answer(self, path: str, parameters: dict[str, str], fault: Fault | None) -> None:
        drive = self.server.drive
        if self.headers.get("Authorization", "").removeprefix("Bearer ") not in drive.access_tokens:
            return self._error(401, "authError", "Invalid Credentials")
        if READONLY not in drive.scope:
            return self._error(403, "insufficientPermissions", "Request had insufficient authentication scopes.")
        if path == "/about":
            return self._json({"user": {"displayName": "The Owner", "emailAddress": drive.email}})
        if path == "/files":
            return self._listing(parameters)
        return self._file(path, parameters, fault)

    def _file(self, path: str, parameters: dict[str, str], fault: Fault | None) -> None:
        drive = self.server.drive
        item = drive.items.get(path.removeprefix("/files/"))
        if item is None or item.id in drive.invisible:
            return self._error(404, "notFound", f"File not found: {path.removeprefix('/files/')}.")
        if parameters.get("alt") == "media":
            return self._media(item, self.headers.get("Range", ""), fault)
        return self._json(item.facts())

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
        form = {key: values[0] for key, values in parse_qs(body).items()}
        drive = self.server.drive
        drive.token_requests += 1
        fault = drive.fault_for(self.path, in_mid_file=False)
        if fault is not None and self._send_fault(fault):
            return None
        if (CLIENT_ID, CLIENT_SECRET) not in {(form.get("client_id"), form.get("client_secret")), self._basic()}:
            return self._json({"error": "invalid_client", "error_description": "Unauthorized"}, 401)
        if form.get("grant_type") == "refresh_token":
            if form.get("refresh_token") not in drive.refresh_tokens:
                message = "Token has been expired or revoked."
                return self._json({"error": "invalid_grant", "error_description": message}, 400)
            return self._json(self._access())
        return self._exchange(form)

    # OAuth.

    def _basic(self) -> tuple[str, str]:
        """Return the client's name and password from the header, where google-auth-oauthlib puts them."""
        encoded = self.headers.get("Authorization", "").removeprefix("Basic ")
        name, _, password = base64.b64decode(encoded).decode().partition(":")
        return name, password

    def _consent(self, parameters: dict[str, str]) -> None:
        """Consent at once: a browser that opens this address is redirected with a code."""
        code = f"4/{secrets.token_urlsafe(16)}"
        self.server.drive.codes[code] = parameters
        answer = {"state": parameters["state"], "code": code, "scope": self.server.drive.scope}
        if not self.server.drive.scope:
            answer = {"state": parameters["state"], "error": "access_denied"}
        self.send_response(302)
        self.send_header("Location", f"{parameters['redirect_uri']}?{urlencode(answer)}")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def _exchange(self, form: dict[str, str]) -> None:
        parameters = self.server.drive.codes.pop(form.get("code", ""), None)
        verifier = form.get("code_verifier", "").encode()
        challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier).digest()).decode().rstrip("=")
        good = (
            parameters is not None
            and parameters.get("code_challenge_method") == "S256"
            and parameters.get("code_challenge") == challenge
            and parameters.get("access_type") == "offline"
            and form.get("redirect_uri") == parameters.get("redirect_uri")
        )
        if not good:
            return self._json({"error": "invalid_grant", "error_description": "Bad code or verifier."}, 400)
        answer = self._access()
        answer["refresh_token"] = self.server.drive.issue_token()["refresh_token"]
        if self.server.drive.refresh_token_expires_in:
            answer["refresh_token_expires_in"] = self.server.drive.refresh_token_expires_in
        return self._json(answer)

    def _access(self) -> dict[str, Any]:
        token = f"ya29.{secrets.token_urlsafe(24)}"
        self.server.drive.access_tokens.add(token)
        return {"access_token": token, "expires_in": 3599, "scope": self.server.drive.scope, "token_type": "Bearer"}

    # Files.

    def _listing(self, parameters: dict[str, str]) -> None:
        drive, query = self.server.drive, parameters["q"]
        if (parameters.get("supportsAllDrives"), parameters.get("includeItemsFromAllDrives")) != ("true", "true"):
            return self._json({"files": []})
        parent = re.match(r"'([^']+)' in parents", query)
        assert parent is not None
        found = [] if parent[1] in drive.invisible else drive.children.get(parent[1], [])
        found = [item for item in found if not (item.trashed and "trashed = false" in query)]
        if name := re.search(r"name = '((?:[^'\\]|\\.)*)'", query):
            wanted = re.sub(r"\\(.)", r"\1", name[1]).lower()
            found = [item for item in found if item.name.lower() == wanted]
        if "mimeType = " in query:
            found = [item for item in found if f"mimeType = '{item.kind}'" in query]
        start = int(parameters.get("pageToken", 0))
        end = start + min(int(parameters.get("pageSize", 100)), drive.page_size)
        answer: dict[str, Any] = {"files": [item.facts() for item in found[start:end]], "incompleteSearch": False}
        if end < len(found):
            answer["nextPageToken"] = str(end)
        return self._json(answer)

    def _media(self, item: Item, wanted_range: str, fault: Fault | None) -> None:
        start = int(wanted_range.removeprefix("bytes=").rstrip("-")) if wanted_range else 0
        content, total = item.content, len(item.content)
        kind = fault.kind if fault else ""
        if wanted_range and start >= total:
            return self._error(416, "requestedRangeNotSatisfiable", "Request range not satisfiable")
        if kind == "whole file instead":
            wanted_range, start = "", 0
        if kind == "wrong range":
            start = max(0, start - 1000)
        body = content[start:]
        self.send_response(206 if wanted_range else 200)
        if wanted_range:
            self.send_header("Content-Range", f"bytes {start}-{total - 1}/{total}")
        self.send_header("Content-Type", "application/octet-stream")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        served = Served(self.path, 206 if wanted_range else 200, wanted_range, 0)
        self.server.drive.served.append(served)
        if kind == "broken off":
            body, self.close_connection = body[: fault.at], True
        if kind == "damaged":
            body = body[: fault.at] + bytes([body[fault.at] ^ 1]) + body[fault.at + 1 :]
        if kind == "changes while read":
            self._send(served, body[: fault.at])
            self.server.drive.change_file(item.id, bytes(reversed(content)))
            body = self.server.drive.items[item.id].content[start + fault.at :]
        if kind == "too slow":
            self.close_connection = True
            for position in range(200):
                self._send(served, body[position : position + 1])
                time.sleep(0.05)
            return None
        return self._send(served, body)

    def _send(self, served: Served, body: bytes) -> None:
        for start in range(0, len(body), 1 << 16):
            self.wfile.write(body[start : start + (1 << 16)])
            self.wfile.flush()
            served.sent += len(body[start : start + (1 << 16)])

    # Answers.

    def _send_fault(self, fault: Fault) -> bool:
        """Send the fault if it replaces the answer; return whether it does."""
        status_and_reason = {
            "500": (500, "internalError", "Internal Error"),
            "503": (503, "backendError", "Backend Error"),
            "429": (429, "rateLimitExceeded", "Too many requests"),
            "rate limit 403": (403, "userRateLimitExceeded", "User Rate Limit Exceeded"),
            "not found": (404, "notFound", "File not found: ."),
            "may not be downloaded": (403, "cannotDownloadFile", "This file cannot be downloaded by the user."),
            "api is off": (403, "accessNotConfigured", "Google Drive API has not been used in project 1 before."),
        }
        if fault.kind == "connection lost":
            self.close_connection = True
            self.connection.close()
            return True
        if fault.kind == "no json":
            self._send_body(b"<html>", 200)
            return True
        if fault.kind not in status_and_reason:
            return False
        self._error(*status_and_reason[fault.kind], retry_after=fault.retry_after)
        return True

    def _error(self, status: int, reason: str, message: str, retry_after: str = "") -> None:
        error = {"code": status, "message": message, "errors": [{"domain": "global", "reason": reason}]}
        self._json({"error": error}, status, {"Retry-After": retry_after} if retry_after else {})

    def _json(self, document: dict[str, Any], status: int = 200, headers: dict[str, str] | None = None) -> None:
        self._send_body(json.dumps(document).encode(), status, headers)

    def _send_body(self, body: bytes, status: int, headers: dict[str, str] | None = None) -> None:
        self.server.drive.served.append(Served(self.path, status, "", 0))
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
