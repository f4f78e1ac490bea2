/**
 * Every operating error of Medley, declared once. `exitCode` is what the command line ends with (1 failure, 2 usage,
 * 3 transient: trying again is safe), `httpStatus` what the HTTP interface answers, `retryable` whether the same
 * call may succeed later without a change. docs/ERRORS.md is generated from this table.
 */
export const errorTable = {
  config_invalid: {
    exitCode: 2,
    httpStatus: 500,
    retryable: false,
    meaning: "medley.config.ts does not describe a valid set of collections",
  },
  config_not_found: {
    exitCode: 2,
    httpStatus: 500,
    retryable: false,
    meaning: "there is no configuration file where one was expected",
  },
  usage: {
    exitCode: 2,
    httpStatus: 400,
    retryable: false,
    meaning: "a command or request was given arguments it can't use",
  },
  record_invalid: {
    exitCode: 1,
    httpStatus: 422,
    retryable: false,
    meaning: "a record does not fit its collection's schema",
  },
  body_malformed: {
    exitCode: 1,
    httpStatus: 400,
    retryable: false,
    meaning: "a request body or file line is not the JSON, NDJSON or CSV it claims to be",
  },
  body_too_large: {
    exitCode: 1,
    httpStatus: 413,
    retryable: false,
    meaning: "a request body is over the limit",
  },
  overloaded: {
    exitCode: 3,
    httpStatus: 429,
    retryable: true,
    meaning: "the queue is full: producers are slowed so that nothing is dropped",
  },
  unauthorized: {
    exitCode: 1,
    httpStatus: 401,
    retryable: false,
    meaning: "the request carries no valid token",
  },
  forbidden: {
    exitCode: 1,
    httpStatus: 403,
    retryable: false,
    meaning:
      "the token lacks the scope or collection, or the request comes from a web page of another origin or under a host name this server does not have",
  },
  media_type_unsupported: {
    exitCode: 1,
    httpStatus: 415,
    retryable: false,
    meaning: "a request body's Content-Type or Content-Encoding is not one this server reads",
  },
  collection_unknown: {
    exitCode: 2,
    httpStatus: 404,
    retryable: false,
    meaning: "no collection of that name is configured",
  },
  query_invalid: {
    exitCode: 2,
    httpStatus: 422,
    retryable: false,
    meaning: "a search names an unknown space, field or operator, or gives it a value of the wrong type",
  },
  not_found: {
    exitCode: 1,
    httpStatus: 404,
    retryable: false,
    meaning: "the row, dead letter or run asked for does not exist",
  },
  source_unreadable: {
    exitCode: 1,
    httpStatus: 400,
    retryable: false,
    meaning: "a file can't be opened, or breaks off before its end",
  },
  source_changed: {
    exitCode: 1,
    httpStatus: 409,
    retryable: false,
    meaning: "a run can't resume because its file is no longer the one it began with",
  },
  source_mismatch: {
    exitCode: 2,
    httpStatus: 500,
    retryable: false,
    meaning:
      "a table has other columns, another key or other rights than its source in the configuration needs",
  },
  outbox_behind: {
    exitCode: 1,
    httpStatus: 503,
    retryable: false,
    meaning: "a table that is a source lacks Medley's triggers, or has those of another configuration",
  },
  source_unavailable: {
    exitCode: 3,
    httpStatus: 503,
    retryable: true,
    meaning: "the database of a source can't be reached or refused for a passing reason",
  },
  model_not_found: {
    exitCode: 1,
    httpStatus: 500,
    retryable: false,
    meaning: "a model's files are not where they are expected",
  },
  model_damaged: {
    exitCode: 1,
    httpStatus: 500,
    retryable: false,
    meaning: "a model file's sha256 differs from the pinned one",
  },
  training_unsupported: {
    exitCode: 1,
    httpStatus: 500,
    retryable: false,
    meaning: "a model can't be trained as asked: an operator has no gradient, or the data do not suit it",
  },
  model_unsupported: {
    exitCode: 1,
    httpStatus: 500,
    retryable: false,
    meaning: "a model asks for something this runtime doesn't do, so running it would give wrong vectors",
  },
  device_unavailable: {
    exitCode: 1,
    httpStatus: 500,
    retryable: false,
    meaning: "the GPU that is asked for can't run models on this machine",
  },
  hub_unavailable: {
    exitCode: 3,
    httpStatus: 503,
    retryable: true,
    meaning: "the model hub can't be reached, breaks off, or refuses for a passing reason",
  },
  training_data_invalid: {
    exitCode: 1,
    httpStatus: 422,
    retryable: false,
    meaning:
      "data to train on are too few, all the same or not finite, or the same records are in two parts of a split",
  },
  training_diverged: {
    exitCode: 1,
    httpStatus: 500,
    retryable: false,
    meaning: "a training's loss or validation is no longer a finite number",
  },
  run_damaged: {
    exitCode: 1,
    httpStatus: 500,
    retryable: false,
    meaning:
      "a run's folder or checkpoint can't be read, or is another training's than the one that would resume",
  },
  tracking_unavailable: {
    exitCode: 3,
    httpStatus: 503,
    retryable: true,
    meaning: "the MLflow server that runs are told to can't be reached, or refuses them",
  },
  encoder_failed: {
    exitCode: 1,
    httpStatus: 500,
    retryable: false,
    meaning: "an encoder can't turn this value into a segment, however often it is tried",
  },
  encoder_unavailable: {
    exitCode: 3,
    httpStatus: 503,
    retryable: true,
    meaning: "an encoder could not run just now",
  },
  port_taken: {
    exitCode: 1,
    httpStatus: 500,
    retryable: false,
    meaning: "another process listens on the configured port",
  },
  data_in_use: {
    exitCode: 1,
    httpStatus: 500,
    retryable: false,
    meaning: "another process has the data folder open",
  },
  data_too_new: {
    exitCode: 1,
    httpStatus: 500,
    retryable: false,
    meaning: "the data was written by a newer Medley",
  },
  data_not_writable: {
    exitCode: 1,
    httpStatus: 500,
    retryable: false,
    meaning: "the data folder can't be written",
  },
  lock_busy: {
    exitCode: 3,
    httpStatus: 503,
    retryable: true,
    meaning: "another process writes medley.lock.json, or was stopped while it did",
  },
  schema_behind: {
    exitCode: 1,
    httpStatus: 503,
    // A migration mends it, and no record is at fault.
    retryable: true,
    meaning: "the database lacks migrations this version needs, or a collection's tables",
  },
  schema_conflict: {
    exitCode: 1,
    httpStatus: 500,
    retryable: false,
    meaning: "a collection's stored spaces differ from the configured ones",
  },
  generation_gone: {
    exitCode: 3,
    httpStatus: 503,
    retryable: true,
    meaning: "a collection's rows are of another generation by now than what was encoded for them",
  },
  apply_running: {
    exitCode: 3,
    httpStatus: 503,
    retryable: true,
    meaning: "another process makes, switches or ends a generation of this collection's rows",
  },
  index_building: {
    exitCode: 3,
    httpStatus: 503,
    retryable: true,
    meaning: "another process is building or dropping this collection's index",
  },
  role_unknown: {
    exitCode: 1,
    httpStatus: 500,
    retryable: false,
    meaning: "a database role that is to be given rights does not exist",
  },
  permission_denied: {
    exitCode: 1,
    httpStatus: 503,
    // A grant mends it, and no record is at fault.
    retryable: true,
    meaning: "the database does not let this role in, or not do what Medley needs",
  },
  draining: {
    exitCode: 3,
    httpStatus: 503,
    retryable: true,
    meaning: "the process is about to end and takes nothing new",
  },
  store_unavailable: {
    exitCode: 3,
    httpStatus: 503,
    retryable: true,
    meaning: "Postgres can't be reached or refused for a passing reason",
  },
  service_unavailable: {
    exitCode: 3,
    httpStatus: 503,
    retryable: true,
    meaning: "another Medley process can't be reached, or what answers there is none",
  },
  transport_unavailable: {
    exitCode: 3,
    httpStatus: 503,
    retryable: true,
    meaning: "the queue can't be reached",
  },
} as const satisfies Record<
  string,
  { exitCode: 1 | 2 | 3; httpStatus: number; retryable: boolean; meaning: string }
>;

export type ErrorCode = keyof typeof errorTable;

/** An operating error: `message` says what is wrong and where, `mend` what to do about it. */
export class MedleyError extends Error {
  readonly code: ErrorCode;
  readonly mend: string | undefined;

  constructor(code: ErrorCode, message: string, options: { mend?: string; cause?: unknown } = {}) {
    super(message, options.cause === undefined ? {} : { cause: options.cause });
    this.name = "MedleyError";
    this.code = code;
    this.mend = options.mend;
  }

  get retryable(): boolean {
    return errorTable[this.code].retryable;
  }
}

/** Whether trying the same call again later may succeed; unknown errors are taken for passing ones, so nothing is lost. */
export function isRetryable(error: unknown): boolean {
  return error instanceof MedleyError ? error.retryable : true;
}
