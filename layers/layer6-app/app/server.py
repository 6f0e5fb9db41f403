"""The web server: a page, /system_stats, /object_info, and a picture."""

from pathlib import Path

from aiohttp import web
from jinja2 import Template

import nodes
import picture
import system_stats

HERE = Path(__file__).parent
ARGV: web.AppKey[list[str]] = web.AppKey("argv", list)
NODES: web.AppKey[list[nodes.Loaded]] = web.AppKey("nodes", list)


async def page(request: web.Request) -> web.Response:
    template = Template((HERE / "page.html").read_text(encoding="utf-8"), autoescape=True)
    return web.Response(text=template.render(stats=system_stats.collect(request.app[ARGV])), content_type="text/html")


async def stats(request: web.Request) -> web.Response:
    return web.json_response(system_stats.collect(request.app[ARGV]))


async def object_info(request: web.Request) -> web.Response:
    return web.json_response(nodes.object_info(request.app[NODES]))


async def draw(request: web.Request) -> web.Response:
    try:
        image = picture.render(int(request.query.get("seed", "1")), int(request.query.get("size", "256")))
    except ValueError as error:
        raise web.HTTPBadRequest(text=str(error)) from error
    return web.Response(body=image, content_type="image/png")


def application(argv: list[str], loaded: list[nodes.Loaded]) -> web.Application:
    app = web.Application()
    app[ARGV] = argv
    app[NODES] = loaded
    app.add_routes([web.get("/", page), web.get("/system_stats", stats), web.get("/object_info", object_info), web.get("/picture.png", draw)])
    return app


def run(host: str, port: int, base: Path, app: web.Application) -> None:
    print(f"base directory {base}; to see the page go to: http://{host}:{port}", flush=True)
    web.run_app(app, host=host, port=port, print=None)
