// Print the types and uuids of the messages that the official TypeScript SDK gives of each session: a JSON array of ids on
// stdin, an array of arrays on stdout, with a text for a call that failed.
import { text } from "node:stream/consumers";
import { pathToFileURL } from "node:url";

const sdk = await import(pathToFileURL(process.argv[2]).href);
const results = [];
for (const id of JSON.parse(await text(process.stdin))) {
  try {
    results.push((await sdk.getSessionMessages(id)).map((message) => [message.type, message.uuid]));
  } catch (error) {
    results.push(String(error));
  }
}
process.stdout.write(JSON.stringify(results));
