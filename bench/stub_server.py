"""A server that costs next to nothing: `python -m bench.stub_server PORT SECONDS` answers after so long.

With a third word, `chat`, it answers as a chat does.
"""

from __future__ import annotations

import asyncio
import sys

ANSWER = b'{"choices": [{"text": "!"}]}'
CHAT = (
    b'{"choices": [{"index": 0, "message": {"role": "assistant", "content": "It is kept for thirty days."}, '
    b'"finish_reason": "stop"}], "usage": {"prompt_tokens": 20, "completion_tokens": 7}}'
)
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n%s\r\n"


async def answer(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, seconds: float, said: bytes
) -> None:
    """Answer every request of one connection alike."""
    while True:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).lower()
        except asyncio.IncompleteReadError:
            break
        length = head.partition(b"content-length:")[2].partition(b"\r\n")[0]
        if length:
            await reader.readexactly(int(length))
        if seconds:
            await asyncio.sleep(seconds)
        last = b"connection: close" in head
        writer.write(HEAD % (len(said), b"Connection: close\r\n" if last else b"") + said)
        await writer.drain()
        if last:
            break
    writer.close()


async def main(port: int, seconds: float, said: bytes) -> None:
    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await answer(reader, writer, seconds, said)

    async with await asyncio.start_server(handle, "127.0.0.1", port) as server:
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), float(sys.argv[2]), CHAT if "chat" in sys.argv[3:] else ANSWER))
