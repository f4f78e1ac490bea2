/** Why a message becomes no record; the reason names places and kinds, never contents. */
export interface MessageProblem {
  readonly code: "body_malformed" | "record_invalid";
  readonly reason: string;
}
