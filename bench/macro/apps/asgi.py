"""
The answer of every ASGI server: no framework, no routing.

GET is answered with a fixed text, POST with the request's own bytes.
"""

HEADERS = [(b"content-type", b"text/plain"), (b"content-length", b"12")]
BODY = b"Hello World!"


async def app(scope, receive, send):
    if scope["type"] != "http":
        raise RuntimeError("only HTTP is served here")  # no lifespan, no WebSocket
    if scope["method"] == "POST":
        await echo(receive, send)
        return
    await send({"type": "http.response.start", "status": 200, "headers": HEADERS})
    await send({"type": "http.response.body", "body": BODY})


async def echo(receive, send):
    body = b""
    more = True
    while more:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
    headers = [
        (b"content-type", b"application/octet-stream"),
        (b"content-length", b"%d" % len(body)),
    ]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})
