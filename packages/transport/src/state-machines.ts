/** The parts of the adapters that decide, without a service: the simulator runs them over services of its own. */
export type { Lease, LeaseBroker } from "./lease-broker.ts";
export { LeaseTransport } from "./lease-transport.ts";
export type { Timers } from "./timers.ts";
