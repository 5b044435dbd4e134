import { verify, type Refusal } from "@/lib/loguserapp";

/** For programs: the answers that every kit of loguserapp gives alike. No cookie counts here. */
export async function GET(request: Request): Promise<Response> {
  const token = /^Bearer(?: +(.*))?$/i.exec(request.headers.get("Authorization") ?? "");
  if (!token) return problem("token_missing");
  const found = await verify(token[1] ?? "");
  if (typeof found === "string") return problem(found);
  return Response.json({ message: "akses sukses", user: found.id }, { headers: NO_STORE });
}

const NO_STORE = { "Cache-Control": "no-store" };
const DETAILS = {
  token_missing: "Send an access token: Authorization: Bearer …",
  token_invalid: "The access token is not valid.",
  token_expired: "The access token has expired.",
  token_revoked: "The session of the access token has ended.",
  service_unavailable: "The access token cannot be checked just now.",
};

function problem(code: Refusal | "token_missing"): Response {
  const isAway = code === "service_unavailable";
  const challenge = code === "token_missing" ? "Bearer" : 'Bearer error="invalid_token"';
  const status = isAway ? 503 : 401;
  return Response.json(
    { type: "about:blank", title: isAway ? "Service Unavailable" : "Unauthorized", status, detail: DETAILS[code], code },
    {
      status,
      headers: {
        ...NO_STORE,
        "Content-Type": "application/problem+json",
        ...(isAway ? { "Retry-After": "5" } : { "WWW-Authenticate": challenge }),
      },
    },
  );
}
