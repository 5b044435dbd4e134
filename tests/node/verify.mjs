// A back end in Node that trusts the service by its public keys alone:
// node verify.mjs <service> <token>; exits with 0 and prints the person's id if the token is good.
import { createRemoteJWKSet, jwtVerify } from "jose";

const [service, token] = process.argv.slice(2);
const keys = createRemoteJWKSet(new URL(`${service}/.well-known/jwks.json`));
const { payload } = await jwtVerify(token, keys, {
  issuer: service,
  audience: service,
  algorithms: ["ES256"],
  typ: "at+jwt",
});
console.log(payload.sub);
