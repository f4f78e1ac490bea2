import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { json } from "node:stream/consumers";

export interface CollectedSpan {
  readonly service: string;
  readonly name: string;
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId: string;
  readonly links: readonly string[];
  readonly attributes: Readonly<Record<string, unknown>>;
  readonly status: string;
}

interface Attribute {
  readonly key: string;
  readonly value: Record<string, unknown>;
}

/** What OTLP/HTTP sends as JSON (opentelemetry-proto, `ExportTraceServiceRequest`), as far as it is looked at here. */
interface ExportRequest {
  readonly resourceSpans: readonly {
    readonly resource: { readonly attributes: readonly Attribute[] };
    readonly scopeSpans: readonly {
      readonly spans: readonly {
        readonly name: string;
        readonly traceId: string;
        readonly spanId: string;
        readonly parentSpanId?: string;
        readonly links?: readonly { readonly traceId: string }[];
        readonly attributes: readonly Attribute[];
        readonly status: { readonly message?: string };
      }[];
    }[];
  }[];
}

/** A collector for traces, by OTLP over HTTP on a free port. */
export class OtlpCollector implements AsyncDisposable {
  readonly spans: CollectedSpan[] = [];
  /** All that came, as text. */
  readonly received: string[] = [];
  readonly #server = createServer(async (request, response) => {
    const body = (await json(request)) as ExportRequest;
    this.received.push(JSON.stringify(body));
    if (request.url === "/v1/traces") this.#collect(body);
    response.setHeader("content-type", "application/json").end("{}");
  });

  static async open(): Promise<OtlpCollector> {
    const collector = new OtlpCollector();
    collector.#server.listen(0, "127.0.0.1");
    await once(collector.#server, "listening");
    return collector;
  }

  /** What a process is given to send its spans here, soon. */
  get environment(): Record<string, string> {
    const { port } = this.#server.address() as AddressInfo;
    return { OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${port}`, OTEL_BSP_SCHEDULE_DELAY: "200" };
  }

  #collect({ resourceSpans }: ExportRequest): void {
    for (const { resource, scopeSpans } of resourceSpans) {
      const service = String(valuesOf(resource.attributes)["service.name"]);
      for (const span of scopeSpans.flatMap(({ spans }) => spans)) {
        const { name, traceId, spanId, parentSpanId = "", links = [], attributes, status } = span;
        this.spans.push({
          ...{ service, name, traceId, spanId, parentSpanId },
          links: links.map((link) => link.traceId),
          attributes: valuesOf(attributes),
          status: status.message ?? "",
        });
      }
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
  }
}

function valuesOf(attributes: readonly Attribute[]): Record<string, unknown> {
  return Object.fromEntries(attributes.map(({ key, value }) => [key, Object.values(value)[0]]));
}
