"""How the studio bears a crowd: 50 who upload, 20 live sessions and a film a second, for two minutes.

    studio_load.py PROGRAM PHOTO CLIP [SECONDS]

PHOTO is uploaded, CLIP is what the cameras of the sessions see (ffmpeg takes its pictures). Exits with 1 when an answer
is an error other than 429 or 503 with Retry-After, when a session breaks, or when memory keeps growing.
"""

import asyncio
import collections
import itertools
import json
import pathlib
import statistics
import struct
import subprocess
import sys
import tempfile
import time

import aiohttp

from studio_program import OWN, memory, studio

UPLOADING = 50
SESSIONS = 20
# Camera pictures that may be unanswered, as the page has it.
UNANSWERED = 2
FRAMES_PER_SECOND = 25
WAITS = (429, 503)


class Crowd:
    def __init__(self, base: str, photo: bytes, camera: list[bytes], seconds: float):
        self.base, self.photo, self.camera = base, photo, camera
        self.end = time.monotonic() + seconds
        self.statuses = collections.Counter()
        self.news = collections.Counter()
        self.wrong = collections.Counter()
        self.waited = []
        self.delays = []

    def runs(self) -> bool:
        return time.monotonic() < self.end

    async def asked(self, answer: aiohttp.ClientResponse, what: str, expected: int) -> bool:
        """Notes an answer; whether it is as expected."""
        self.statuses[what, answer.status] += 1
        if answer.status in WAITS:
            if "Retry-After" not in answer.headers:
                self.wrong[f"{what}: {answer.status} without Retry-After"] += 1
            await asyncio.sleep(min(float(answer.headers.get("Retry-After", 1)), 2))
        elif answer.status != expected:
            self.wrong[f"{what}: {answer.status} {await answer.text()}"] += 1
        return answer.status == expected

    async def upload(self, http: aiohttp.ClientSession):
        while self.runs():
            began = time.monotonic()
            async with http.post(f"{self.base}/api/photos", data=self.photo, headers=OWN) as answer:
                if not await self.asked(answer, "upload", 201):
                    continue
                photo = (await answer.json())["id"]
            self.waited.append(time.monotonic() - began)
            async with http.delete(f"{self.base}/api/photos/{photo}", headers=OWN) as answer:
                await self.asked(answer, "delete", 204)

    async def film(self, http: aiohttp.ClientSession):
        options = {"size": 256, "crop": True}
        wish = {"portrait": {"figure": "mona-lisa"}, "drive": {"motion": "nod"}, "options": options}
        while self.runs():
            async with http.post(f"{self.base}/api/animate", json=wish, headers=OWN) as answer:
                await self.asked(answer, "animate", 202)
            await asyncio.sleep(1)

    async def live(self, http: aiohttp.ClientSession, number: int):
        start = {"type": "start", "portrait": {"figure": "mona-lisa"}, "options": {}, "size": 256}
        pictures = itertools.cycle(self.camera[number:] + self.camera[:number])
        async with http.ws_connect(f"{self.base}/api/live", protocols=["gioconda-live"]) as socket:
            await socket.send_str(json.dumps(start))
            sent, ready = {}, False
            next_picture = time.monotonic()
            for sequence in itertools.count():
                while self.runs() and (not ready or len(sent) >= UNANSWERED):
                    message = await socket.receive(timeout=60)
                    if message.type == aiohttp.WSMsgType.TEXT:
                        news = json.loads(message.data)
                        ready = ready or news["type"] == "ready"
                        self.news[news["type"]] += 1
                        if news["type"] == "error":
                            self.wrong[f"live: {news['error']}"] += 1
                    elif message.type == aiohttp.WSMsgType.BINARY:
                        (answered,) = struct.unpack_from("<I", message.data)
                        if answered in sent:
                            self.delays.append(time.monotonic() - sent[answered])
                        sent = {number: at for number, at in sent.items() if number > answered}
                    else:
                        self.wrong[f"live: closed with {socket.close_code}"] += 1
                        return
                if not self.runs():
                    return
                await asyncio.sleep(max(0.0, next_picture - time.monotonic()))
                next_picture = max(next_picture, time.monotonic()) + 1 / FRAMES_PER_SECOND
                stamp = int(time.monotonic() * 1000) & 0xFFFFFFFF
                sent[sequence] = time.monotonic()
                await socket.send_bytes(struct.pack("<II", sequence, stamp) + next(pictures))


def pictures(clip: str) -> list[bytes]:
    """The first pictures of a clip as a camera's JPEGs."""
    with tempfile.TemporaryDirectory() as folder:
        form = ["-frames:v", "75", "-vf", "scale=320:320:force_original_aspect_ratio=increase,crop=320:320", "-q:v", "5"]
        subprocess.run(["ffmpeg", "-v", "error", "-i", clip, *form, f"{folder}/%03d.jpg"], check=True)
        return [path.read_bytes() for path in sorted(pathlib.Path(folder).iterdir())]


async def watch(crowd: Crowd, process: subprocess.Popen, used: list[int]):
    while crowd.runs():
        used.append(memory(process))
        await asyncio.sleep(5)


async def run(crowd: Crowd, process: subprocess.Popen) -> list[int]:
    used = []
    patience = aiohttp.ClientTimeout(total=300)
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0), timeout=patience) as http:
        uploads = [crowd.upload(http) for _ in range(UPLOADING)]
        sessions = [crowd.live(http, number) for number in range(SESSIONS)]
        work = [*uploads, *sessions, crowd.film(http), watch(crowd, process, used)]
        for failure in await asyncio.gather(*work, return_exceptions=True):
            if failure is not None:
                crowd.wrong[repr(failure)] += 1
        async with http.get(f"{crowd.base}/healthz") as answer:
            await crowd.asked(answer, "healthz", 200)
        async with http.get(f"{crowd.base}/metrics") as answer:
            lines = (await answer.text()).splitlines()
        print(*(line for line in lines if "error" in line or "queue" in line), sep="\n")
    return used


def main():
    program, photo, clip, *named = sys.argv[1:]
    seconds = float(named[0]) if named else 120.0
    with studio(program) as (base, process):
        crowd = Crowd(base, pathlib.Path(photo).read_bytes(), pictures(clip), seconds)
        used = asyncio.run(run(crowd, process))
    print("answers:", {f"{what} {status}": count for (what, status), count in sorted(crowd.statuses.items())})
    print(f"uploads: {len(crowd.waited)}, {statistics.median(crowd.waited):.2f} s each (median)")
    each = len(crowd.delays) / seconds / SESSIONS
    print(f"live: {SESSIONS} sessions, {each:.1f} frames/s each, {statistics.median(crowd.delays) * 1e3:.0f} ms (median)")
    print("news:", dict(crowd.news))
    print("memory, MB:", used)
    # What is kept ready is there after the first third; growth from then on would go on.
    third = len(used) // 3
    if max(used[2 * third :]) > 1.25 * max(used[: 2 * third]):
        crowd.wrong["memory keeps growing"] += 1
    print("wrong:", dict(crowd.wrong) or "nothing")
    sys.exit(bool(crowd.wrong))


main()
