"""A Flask answer that costs nothing: what the server itself can do."""

from flask import Flask, Response, jsonify

app = Flask(__name__)


@app.get("/resource")
def resource() -> Response:
    return jsonify(message="akses sukses")
