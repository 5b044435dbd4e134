"""Flask-JWT-Extended as its tutorial has it: HS256, no revocation, users in a dictionary."""

from flask import Flask, Response, jsonify, request
from flask_bcrypt import Bcrypt
from flask_jwt_extended import JWTManager, create_access_token, jwt_required

app = Flask(__name__)
app.config["JWT_SECRET_KEY"] = "a benchmark's secret, long enough for HS256"
app.config["JWT_ACCESS_TOKEN_EXPIRES"] = False
bcrypt = Bcrypt(app)
JWTManager(app)
USERS = {"bench": bcrypt.generate_password_hash("correct horse battery", 12)}


@app.post("/login")
def login() -> tuple[Response, int]:
    given = request.get_json()
    stored = USERS.get(given["username"])
    if stored is None or not bcrypt.check_password_hash(stored, given["password"]):
        return jsonify(message="Invalid credentials"), 401
    return jsonify(access_token=create_access_token(given["username"])), 200


@app.get("/resource")
@jwt_required()
def resource() -> Response:
    return jsonify(message="akses sukses")
