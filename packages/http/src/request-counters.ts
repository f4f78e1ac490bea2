import { Histogram } from "@medley/pipeline";

export interface RequestCount {
  readonly method: string;
  /** As the router has it (`/v1/collections/:name/records`), never a path: those hold ids. `none` where none was found. */
  readonly route: string;
  readonly status: number;
  requests: number;
}

const secondsBounds = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 120];

/** Requests answered, by route and status. Bound: routes times the statuses this server answers with. */
export class RequestCounters {
  readonly #counts = new Map<string, RequestCount>();
  /** By route. */
  readonly seconds = new Map<string, Histogram>();

  get counts(): readonly RequestCount[] {
    return [...this.#counts.values()];
  }

  count(request: { method: string; route: string | undefined; status: number; seconds: number }): void {
    const { status } = request;
    // Of what has no route the method is the client's to choose as well.
    const { method, route } =
      request.route === undefined
        ? { method: "none", route: "none" }
        : { method: request.method, route: request.route };
    const key = `${method} ${route} ${status}`;
    const found = this.#counts.get(key) ?? { method, route, status, requests: 0 };
    found.requests += 1;
    this.#counts.set(key, found);
    const seconds = this.seconds.get(route) ?? new Histogram(secondsBounds);
    seconds.observe(request.seconds);
    this.seconds.set(route, seconds);
  }
}
