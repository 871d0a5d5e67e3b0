"""The platform fetching files from addresses; the sandbox itself never leaves its own machine."""

import hashlib
from urllib.parse import urlsplit

import requests

from scrm.sandbox.dice import draw_text
from scrm.sandbox.events import Event
from scrm.sandbox.formats import is_film
from scrm.sandbox.media import JobStatus, Medium, UploadJob
from scrm.sandbox.people.acting import Actor, undisturbed

CHUNK = 64 * 1024
SECONDS = 10
NO_ADDRESS, NO_DOWNLOAD, OTHER_MD5, TOO_LARGE, WRONG_KIND = 830001, 830003, 301019, 45001, 40004


class FetchingActs(Actor):
    def begin_fetch(self, job: UploadJob) -> None:
        """Fetch in a while, outside of the call that asked for it."""
        due = self.world.clock.now() + self.world.options.fetch_seconds
        self.world.clock.schedule(due, lambda: self._fetch(job))

    def _fetch(self, job: UploadJob) -> None:
        # The file may come from this very sandbox, so the world is not locked meanwhile.
        errcode, content = self._download(job.url)
        self._conclude_fetch(job, errcode or _judge(job, content), content)

    @undisturbed
    def _conclude_fetch(self, job: UploadJob, errcode: int, content: bytes) -> None:
        now, days = self.world.clock.now(), self.world.options.media_days
        job.errcode, job.status = errcode, JobStatus.FAILED
        if not errcode:
            media_id = draw_text(self.world.dice, 44)
            medium = Medium(media_id, job.kind, job.filename, content, now)
            job.medium = self.world.media.add(medium, days=days)
            job.status = JobStatus.DONE
        self.world.ledger.append("media.fetched", jobid=job.jobid, errcode=errcode)
        self.emit(Event("upload_media_job_finish", int(now), {"JobId": job.jobid}))

    def _download(self, url: str) -> tuple[int, bytes]:
        """Return an errcode or 0, and the file."""
        own = urlsplit(self.world.root_url).hostname
        if urlsplit(url).hostname not in {"127.0.0.1", "localhost", "::1", own}:
            return NO_DOWNLOAD, b""
        with requests.Session() as session:
            session.trust_env = False
            # The platform fetches in parts, so it wants servers that can give them.
            session.headers["Range"] = "bytes=0-"
            try:
                return self._read(session, url)
            except requests.RequestException:
                return NO_DOWNLOAD, b""

    def _read(self, session: requests.Session, url: str) -> tuple[int, bytes]:
        options, content = self.world.options, b""
        with session.get(url, timeout=SECONDS, stream=True, allow_redirects=False) as answer:
            good = {206} if options.fetch_needs_range else {200, 206}
            if answer.status_code not in good:
                return NO_DOWNLOAD, b""
            parts = []
            size = 0
            for part in answer.iter_content(CHUNK):
                size += len(part)
                if size > options.fetched_bytes:
                    return TOO_LARGE, b""
                parts.append(part)
            content = b"".join(parts)
        return 0, content


def _judge(job: UploadJob, content: bytes) -> int:
    digest = hashlib.md5(content, usedforsecurity=False).hexdigest()
    if digest != job.md5:
        return OTHER_MD5
    return WRONG_KIND if job.kind == "video" and not is_film(content) else 0
