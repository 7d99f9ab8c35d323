# A client of the stream with the Python package websockets. It prints a line of JSON for each thing it tries: its name, and what
# came of it.
import asyncio
import json
import sys

import websockets

URL = sys.argv[1]
HELLO = json.dumps({"type": "hello", "env": "prod", "client": {"name": "python"}})


def connect(**options):
    return websockets.connect(URL, subprotocols=["trunkline.v1.json"], **options)


async def closes(name, doing, **options):
    error = code = ""
    async with connect(**options) as ws:
        try:
            await doing(ws)
            async for text in ws:
                m = json.loads(text)
                if m["type"] == "error":
                    error = m["code"]
        except websockets.ConnectionClosed:
            pass
        code = ws.close_code
    print(json.dumps({"name": name, "result": f"{code} {error}".strip()}), flush=True)


async def follows(name, **options):
    seen = []
    async with connect(max_size=None, **options) as ws:
        await ws.send(HELLO)
        while len(seen) < 2:
            m = json.loads(await ws.recv())
            if m["type"] != "snapshot":
                continue
            if "chunks" in m:
                texts = [json.loads(await ws.recv())["data"] for _ in range(m["chunks"])]
                m["values"] = json.loads("".join(texts))
            seen.append(m["reason"] + ":" + ",".join(sorted(m["values"])))
            await ws.send(json.dumps({"type": "ack", "cursor": m["cursor"]}))
            if len(seen) == 1:
                pong = await ws.ping("there?")
                await pong
                await ws.send(json.dumps({"type": "update", "patterns": ["small"]}))
        extensions = "deflate " if ws.extensions else ""
    print(json.dumps({"name": name, "result": f"{ws.close_code} {extensions}{' '.join(seen)}"}), flush=True)


def sends(*messages):
    async def doing(ws):
        for m in messages:
            await ws.send(m)
    return doing


async def in_parts(ws):
    async def parts():
        for _ in range(200):
            yield "x" * 1000
    await ws.send(parts())


async def pings(ws):
    await ws.send(HELLO)
    for n in range(5000):
        await ws.ping(str(n))


async def bytes_without_frames(ws):
    ws.transport.write(b"\xff" * 100)


async def run():
    await follows("plain", compression=None)
    await follows("compressed", compression="deflate")
    await closes("garbage", sends("garbage"))
    await closes("binary", sends(HELLO.encode()))
    await closes("raw bytes", bytes_without_frames)
    await closes("too large", sends(" " * 70000 + HELLO), compression=None)
    await closes("bomb", sends(" " * (30 << 20)))
    await closes("many fragments", in_parts)
    await closes("pings", pings, ping_interval=None)
    await closes("updates", sends(HELLO, *['{"type":"update","patterns":["a"]}'] * 50))
    await closes("nobody", sends(HELLO, '{"type":"ack"}'))


asyncio.run(run())
