"""What the studio makes of nonsense: some 1,050 malformed requests, files, wishes and WebSocket frames.

    studio_malformed.py PROGRAM

Prints what was answered. Exits with 1 when the studio breaks, counts an error of its own, or answers 500.
"""

import asyncio
import collections
import json
import random
import struct
import sys

import aiohttp

from studio_program import OWN, studio

METHODS = [b"GET", b"POST", b"DELETE", b"PUT", b"\x00\x01", b"PRI"]
PATHS = [
    "/api/photos", "/api/clips", "/api/preview", "/api/animate", "/api/learn", "/api/verify", "/api/jobs/x",
    "/api/jobs/%00", "/api/avatars/..%2f..%2fetc", "/api/figures/../x/image", "/call/%ff", "/assets/..%2findex.html",
    "/api/photos/" + "a" * 5000, "/relay/a", "/api/live", "//", "/api/broadcast/x",
]
# The beginnings of files: what follows is noise.
BEGINNINGS = [
    b"\xff\xd8\xff\xe0", b"\x89PNG\r\n\x1a\n", b"GIF89a", b"RIFF\x00\x00\x00\x00WEBPVP8X", b"\x00\x00\x00\x18ftypmp42",
    b"\x1aE\xdf\xa3", b"BM", b"II*\x00", b"",
]
FIGURE = {"figure": "mona-lisa"}
NOD = {"motion": "nod"}
WISHES = [
    {}, [], None, 1, "x",
    {"portrait": FIGURE, "drive": {"motion": "nope"}},
    {"portrait": {"photo": "../../etc/passwd"}, "drive": NOD},
    {"portrait": FIGURE | {"face": 65535}, "drive": NOD, "options": {"size": 1}},
    {"portrait": FIGURE, "drive": NOD, "options": {"smoothing": -1}},
    {"portrait": FIGURE, "drive": NOD, "at": 1e300},
    {"photos": [], "name": ""},
    {"photos": ["x"] * 100, "name": "y" * 9999},
]
FIRST_WORDS = [
    {"type": "start", "portrait": FIGURE, "size": 256},
    {"type": "join", "name": "x"},
    {"type": "start", "portrait": FIGURE, "size": 4294967295, "options": {"eyes": 2}},
]
TEXTS = ["", "{", "[]", '{"type":"calibrate"}', '{"type":"options","options":{"pose":1e39}}', '"' * 3000]


class Nonsense:
    def __init__(self, base: str):
        self.base = base
        self.host, _, port = base.removeprefix("http://").partition(":")
        self.port = int(port)
        self.seen = collections.defaultdict(collections.Counter)
        # The same nonsense every time.
        self.random = random.Random(8)

    def noise(self, most: int) -> bytes:
        return self.random.randbytes(self.random.randrange(1, most))

    def raw_request(self) -> bytes:
        own = b"Host: localhost\r\nX-Gioconda: studio\r\n"
        headers = self.random.choice([
            own,
            b"Host: evil.example\r\n",
            b"",
            own + b"Transfer-Encoding: chunked\r\n",
            own + b"Content-Length: 99999999999999\r\n",
            b"Host: localhost\r\nRange: bytes=9999999999999999999-\r\n",
            b"X: " + self.noise(30) + b"\r\n",
        ])
        line = self.random.choice(METHODS) + b" " + self.random.choice(PATHS).encode() + b" HTTP/1.1\r\n"
        return line + headers + b"\r\n" + self.noise(400)

    async def raw(self):
        reader, writer = await asyncio.open_connection(self.host, self.port)
        try:
            writer.write(self.raw_request())
            await writer.drain()
            writer.write_eof()
            answer = await asyncio.wait_for(reader.read(4000), 10)
            said = answer.split(b" ")[1].decode() if answer.startswith(b"HTTP") else "closed"
        except (OSError, asyncio.TimeoutError) as error:
            said = type(error).__name__
        finally:
            writer.close()
        self.seen["raw"][said] += 1

    async def post(self, http: aiohttp.ClientSession, path: str, **body):
        try:
            async with http.post(self.base + path, headers=OWN, **body) as answer:
                await answer.read()
                self.seen[path][answer.status] += 1
        except asyncio.TimeoutError:
            self.seen[path]["no answer"] += 1

    def frame(self) -> str | bytes:
        kind = self.random.random()
        if kind < 0.3:
            return self.random.choice(TEXTS)
        if kind < 0.6:
            return self.noise(300)
        if kind < 0.8:
            sequence = self.random.choice([0, 2**32 - 1])
            return struct.pack("<II", sequence, 7) + b"\xff\xd8\xff\xe0" + self.noise(500)
        if kind < 0.9:
            return bytes([self.random.randrange(5)]) + self.random.randbytes(79)
        return bytes(700 << 10)

    async def converse(self, http: aiohttp.ClientSession):
        path = self.random.choice(["/api/live", f"/api/call/r{self.random.randrange(5)}", "/relay/q"])
        kind = "WebSocket " + path.split("/")[1 if path.startswith("/relay") else 2]
        try:
            async with http.ws_connect(self.base + path, protocols=["gioconda-live", "gioconda-relay"]) as socket:
                if self.random.random() < 0.6:
                    await socket.send_str(json.dumps(self.random.choice(FIRST_WORDS)))
                for _ in range(self.random.randrange(1, 5)):
                    frame = self.frame()
                    await (socket.send_str(frame) if isinstance(frame, str) else socket.send_bytes(frame))
                message = await socket.receive(timeout=0.1)
                self.seen[kind][message.type.name] += 1
        except asyncio.TimeoutError:
            self.seen[kind]["quiet"] += 1
        except (ConnectionError, aiohttp.ClientError) as error:
            self.seen[kind][type(error).__name__] += 1


async def run(nonsense: Nonsense) -> list[str]:
    for _ in range(350):
        await nonsense.raw()
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=60)) as http:
        for _ in range(250):
            path = nonsense.random.choice(["/api/photos", "/api/clips", "/api/verify?name=x.mp4"])
            await nonsense.post(http, path, data=nonsense.random.choice(BEGINNINGS) + nonsense.noise(3000))
        for _ in range(150):
            path = nonsense.random.choice(["/api/preview", "/api/animate", "/api/learn"])
            await nonsense.post(http, path, json=nonsense.random.choice(WISHES))
        for _ in range(300):
            await nonsense.converse(http)
        async with http.get(nonsense.base + "/healthz") as answer:
            healthy = answer.status == 200
        async with http.get(nonsense.base + "/metrics") as answer:
            errors = [line for line in (await answer.text()).splitlines() if line.startswith("gioconda_errors")]
    wrong = [line for line in errors if not line.endswith(" 0")]
    if not healthy:
        wrong.append("not healthy any more")
    for what, seen in nonsense.seen.items():
        wrong += [f"{what}: {answer}" for answer in (500, "500", "no answer") if answer in seen]
    return wrong


def main():
    with studio(sys.argv[1]) as (base, _):
        nonsense = Nonsense(base)
        wrong = asyncio.run(run(nonsense))
    for what, seen in nonsense.seen.items():
        print(what, dict(seen))
    print("wrong:", wrong or "nothing")
    sys.exit(bool(wrong))


main()
