// better-auth with its bearer plugin on MySQL, bcrypt as everywhere here; one process per core.
import cluster from "node:cluster";
import { createServer } from "node:http";
import { availableParallelism } from "node:os";
import bcrypt from "bcrypt";
import { betterAuth } from "better-auth";
import { getMigrations } from "better-auth/db/migration";
import { fromNodeHeaders, toNodeHandler } from "better-auth/node";
import { bearer } from "better-auth/plugins";
import { createPool } from "mysql2/promise";

const auth = betterAuth({
  baseURL: `http://127.0.0.1:${process.env.PORT}`,
  secret: "a benchmark's secret, long enough for it",
  database: createPool(process.env.BENCH_MYSQL),
  emailAndPassword: {
    enabled: true,
    password: {
      hash: (password) => bcrypt.hash(password, 12),
      verify: ({ password, hash }) => bcrypt.compare(password, hash),
    },
  },
  rateLimit: { enabled: false },
  plugins: [bearer()],
  telemetry: { enabled: false },
});

if (cluster.isPrimary) {
  await (await getMigrations(auth.options)).runMigrations();
  await auth.api
    .signUpEmail({
      body: { name: "bench", email: "bench@example.com", password: "correct horse battery" },
    })
    .catch(() => {});
  for (let core = 0; core < availableParallelism(); core++) cluster.fork();
} else {
  const handle = toNodeHandler(auth);
  createServer(async (request, response) => {
    if (request.url !== "/resource") return handle(request, response);
    const session = await auth.api.getSession({ headers: fromNodeHeaders(request.headers) });
    response.writeHead(session ? 200 : 401, { "Content-Type": "application/json" });
    response.end(JSON.stringify({ message: session ? "akses sukses" : "Invalid token" }));
  }).listen(Number(process.env.PORT), "127.0.0.1");
}
