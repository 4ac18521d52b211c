"""
Flask: the answers of a view, a plain function behind it, and a write that forgets both; with a SyncCache.

    python docs/examples/04_flask.py [STORE]

It needs Flask (pip install flask), and prints:

    reading product 7
    GET /products/7 -> MISS {'id': 7, 'name': 'lamp'}
    GET /products/7 -> HIT {'id': 7, 'name': 'lamp'}
    PUT /products/7 -> 204
    reading product 7
    GET /products/7 -> MISS {'id': 7, 'name': 'desk lamp'}
    GET /api/cache/stats -> 403 for who is no administrator
"""

from __future__ import annotations

import sys

from flask import Flask, Request, request
from flask.typing import ResponseReturnValue

from hashcache import SyncCache
from hashcache.integrations.flask import cached_route, init_app
from hashcache.integrations.flask_admin import admin_blueprint

cache = SyncCache(sys.argv[1] if sys.argv[1:] else "memory://", environment="example-04")
names = {7: "lamp"}


@cache.cached("product", key="product:{id}")
def product(id: int) -> dict[str, int | str]:
    print("reading product", id)
    return {"id": id, "name": names[id]}


@cache.invalidates(key="product:{id}", pattern="route:/products/{id}")  # the function's answer, and the view's
def rename(id: int, name: str) -> None:
    names[id] = name


def is_admin(request: Request) -> bool:
    """Whether *request* comes from an administrator; ask your own sessions here."""
    return False


app = Flask(__name__)
init_app(app, cache)  # each process opens it at its first request, also after a fork
app.register_blueprint(admin_blueprint(cache, guard=is_admin))


@app.get("/products/<int:id>")
@cached_route(cache, "product")
def show(id: int) -> ResponseReturnValue:
    return product(id)


@app.put("/products/<int:id>")
def change(id: int) -> ResponseReturnValue:
    rename(id, request.get_json()["name"])
    return "", 204


def main() -> None:
    visitor = app.test_client()
    with cache:
        cache.clear()
        for _ in range(2):
            answer = visitor.get("/products/7")
            print("GET /products/7 ->", answer.headers["X-Cache"], answer.json)
        print("PUT /products/7 ->", visitor.put("/products/7", json={"name": "desk lamp"}).status_code)
        answer = visitor.get("/products/7")
        print("GET /products/7 ->", answer.headers["X-Cache"], answer.json)
        print("GET /api/cache/stats ->", visitor.get("/api/cache/stats").status_code, "for who is no administrator")


main()
