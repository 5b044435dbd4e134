// Express 5 with jsonwebtoken: HS256, no revocation, users in an object; one process per core.
import cluster from "node:cluster";
import { availableParallelism } from "node:os";
import bcrypt from "bcrypt";
import express from "express";
import jwt from "jsonwebtoken";

const secret = "a benchmark's secret, long enough for HS256";

if (cluster.isPrimary) {
  for (let core = 0; core < availableParallelism(); core++) cluster.fork();
} else {
  const users = { bench: await bcrypt.hash("correct horse battery", 12) };
  const app = express();
  app.use(express.json());

  app.post("/login", async (request, response) => {
    const { username, password } = request.body;
    if (!users[username] || !(await bcrypt.compare(password, users[username])))
      return response.status(401).json({ message: "Invalid credentials" });
    response.json({ access_token: jwt.sign({ sub: username }, secret, { expiresIn: "1h" }) });
  });

  app.get("/resource", (request, response) => {
    try {
      const token = (request.headers.authorization ?? "").replace("Bearer ", "");
      jwt.verify(token, secret, { algorithms: ["HS256"] });
    } catch {
      return response.status(401).json({ message: "Invalid token" });
    }
    response.json({ message: "akses sukses" });
  });

  app.listen(Number(process.env.PORT), "127.0.0.1");
}
