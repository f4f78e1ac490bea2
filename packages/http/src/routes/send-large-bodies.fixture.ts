import { request } from "node:http";

// A client as a process of its own, so that it is still sending when the answer comes; prints the statuses it hears.
const [url = "", ...contentTypes] = process.argv.slice(2);
const body = "x".repeat(2 ** 24 + 1);
const heard: unknown[] = [];
for (let n = 0; n < 50; n += 1) {
  for (const contentType of contentTypes) {
    const status = await new Promise((resolve) => {
      const headers = { "content-type": contentType, "content-length": body.length };
      const sent = request(url, { method: "POST", headers });
      sent.on("response", (answer) => resolve(answer.resume().statusCode));
      sent.on("error", ({ message }) => resolve(message));
      sent.end(body);
    });
    if (!heard.includes(status)) heard.push(status);
  }
}
process.stdout.write(JSON.stringify(heard));
