"""
The same answers from aiohttp.
"""

import sys

from aiohttp import web


async def hello(request):
    return web.Response(text="Hello World!")


async def echo(request):
    return web.Response(body=await request.read())


app = web.Application()
app.router.add_get("/{anything:.*}", hello)
app.router.add_post("/{anything:.*}", echo)
web.run_app(app, host="127.0.0.1", port=int(sys.argv[1]), backlog=4096, access_log=None, print=None)
