/**
 * After so many deliveries (about half a minute of growing pauses) a failure that looks passing is taken to be some record's own, such
 * as a text that kills its thread.
 */
export const attemptsBeforeIsolation = 8;

/**
 * Records that have no neighbour to tell their fault from the encoder's, since they are alone in their packet or fail all alike, are
 * given up after a quarter of an hour: kept as dead letters, from where they can be replayed.
 */
export const attemptsBeforeGivingUp = 40;
