// A certified OpenID provider, oidc-provider, on a free port of loopback, until standard input ends. Its clients are the
// first line of standard input; whoever signs in there is whom they say they are.
import { randomBytes, generateKeyPairSync } from "node:crypto";
import { createServer } from "node:http";
import { createInterface } from "node:readline";
import { Provider } from "oidc-provider";

console.info = console.error; // standard output is for the one line below
console.warn = console.error;

const input = createInterface({ input: process.stdin });
const clients = await new Promise((resolve) => input.once("line", (line) => resolve(JSON.parse(line))));
input.on("close", () => process.exit(0));

const key = generateKeyPairSync("rsa", { modulusLength: 2048 }).privateKey.export({ format: "jwk" });
const server = createServer().listen(0, "127.0.0.1", () => {
  const url = `http://127.0.0.1:${server.address().port}`;
  const provider = new Provider(url, {
    clients,
    jwks: { keys: [{ ...key, alg: "RS256", use: "sig" }] },
    cookies: { keys: [randomBytes(32).toString("hex")] },
    pkce: { required: () => true, methods: ["S256"] },
    findAccount: (_, id) => ({ accountId: id, claims: () => ({ sub: id }) }),
  });
  server.on("request", provider.callback());
  console.log(JSON.stringify({ url }));
});
