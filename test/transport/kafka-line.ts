import { Transform, type TransformCallback } from "node:stream";
import { Line } from "./line.ts";

/**
 * A line to a Kafka broker. Brokers tell their clients where brokers are, so in whatever comes back the broker's address is
 * replaced by the line's: in every version of the protocol a port follows its host as four bytes.
 */
export function lineToBroker(broker: { host: string; port: number }): Line {
  return new Line({ ...broker, answers: (linePort) => new AddressReplacer(broker, linePort) });
}

const lengthBytes = 4;
const portBytes = 4;

/** Works on whole answers, each of which begins with its length, so that no address is split. */
class AddressReplacer extends Transform {
  readonly #host: Buffer;
  readonly #address: Buffer;
  readonly #linePort: number;
  #kept = Buffer.alloc(0);

  constructor({ host, port }: { host: string; port: number }, linePort: number) {
    super();
    this.#host = Buffer.from(host);
    this.#address = Buffer.alloc(this.#host.length + portBytes);
    this.#host.copy(this.#address);
    this.#address.writeInt32BE(port, this.#host.length);
    this.#linePort = linePort;
  }

  override _transform(chunk: Buffer, _: BufferEncoding, done: TransformCallback): void {
    this.#kept = Buffer.concat([this.#kept, chunk]);
    while (this.#kept.length >= lengthBytes) {
      const end = lengthBytes + this.#kept.readInt32BE(0);
      if (this.#kept.length < end) break;
      this.push(this.#replace(Buffer.from(this.#kept.subarray(0, end))));
      this.#kept = this.#kept.subarray(end);
    }
    done();
  }

  #replace(answer: Buffer): Buffer {
    for (
      let at = answer.indexOf(this.#address);
      at !== -1;
      at = answer.indexOf(this.#address, at + this.#address.length)
    ) {
      answer.writeInt32BE(this.#linePort, at + this.#host.length);
    }
    return answer;
  }
}
