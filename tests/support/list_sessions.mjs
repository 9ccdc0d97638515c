// Answer calls of the official TypeScript SDK: one JSON array of [function, arguments] on stdin, the results on stdout.
import { text } from "node:stream/consumers";
import { pathToFileURL } from "node:url";

const sdk = await import(pathToFileURL(process.argv[2]).href);
const results = [];
for (const [name, given] of JSON.parse(await text(process.stdin))) {
  results.push((await sdk[name](...given)) ?? null);
}
process.stdout.write(JSON.stringify(results));
