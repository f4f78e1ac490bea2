import { randomUUID } from "node:crypto";
import { DiagLogLevel, diag } from "@opentelemetry/api";

type Environment = Readonly<Record<string, string | undefined>>;

export interface TracingOptions {
  /** `service.name` is `medley-<role>`, unless `OTEL_SERVICE_NAME` says otherwise. */
  readonly role: string;
  /** The standard variables: on where one of the two endpoints is set. The SDK reads the others from the process. */
  readonly environment: Environment;
  /** Spans that the collector did not take are dropped, which is told here. */
  readonly onFault: (message: string) => void;
}

// What is left of the spans when a process ends, and a collector that is away must not hold up the end.
const flushMsMax = 3_000;

/**
 * Records spans and sends them by OTLP over HTTP, until disposed. Null where no endpoint is set: then nothing of the SDK is
 * loaded. Bounds are those of OpenTelemetry's batch processor: 2,048 spans wait, the rest is dropped. Once per process.
 */
export async function startTracing({
  role,
  environment,
  onFault,
}: TracingOptions): Promise<AsyncDisposable | null> {
  const endpoint = environment.OTEL_EXPORTER_OTLP_TRACES_ENDPOINT || environment.OTEL_EXPORTER_OTLP_ENDPOINT;
  if (!endpoint || environment.OTEL_SDK_DISABLED?.toLowerCase() === "true") return null;
  const [{ BatchSpanProcessor, NodeTracerProvider }, { OTLPTraceExporter }, resources] = await Promise.all([
    import("@opentelemetry/sdk-trace-node"),
    import("@opentelemetry/exporter-trace-otlp-http"),
    import("@opentelemetry/resources"),
  ]);
  const { defaultResource, detectResources, envDetector, resourceFromAttributes } = resources;
  const ofProcess = resourceFromAttributes({
    "service.name": `medley-${role}`,
    "service.namespace": "medley",
    "service.instance.id": randomUUID(),
  });
  const resource = defaultResource()
    .merge(ofProcess)
    .merge(detectResources({ detectors: [envDetector] }));
  // What the SDK would say may quote what the collector answered.
  const error = () => onFault("spans could not be sent to the collector");
  const ignore = () => {};
  diag.setLogger({ error, warn: ignore, info: ignore, debug: ignore, verbose: ignore }, DiagLogLevel.ERROR);
  const provider = new NodeTracerProvider({
    resource,
    spanProcessors: [new BatchSpanProcessor(new OTLPTraceExporter())],
  });
  provider.register();
  return {
    async [Symbol.asyncDispose]() {
      const late = new Promise((resolve) => setTimeout(resolve, flushMsMax).unref());
      await Promise.race([provider.shutdown().catch(error), late]);
    },
  };
}
