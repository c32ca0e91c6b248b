// How a run ends that did not do what it was asked to. Throw one of these; anything else that is thrown is a mistake of the
// plugin and ends the run as a trap.

class Failure extends Error {
  constructor(tag, reason, val) {
    super(reason);
    // What zelo is given: a case of `failure` in wit/zelo-automation-0.1.0/types.wit.
    this.payload = { tag, val };
  }
}

/** It will never work: the job ends, and a person is told the reason. */
export const permanent = (reason) => new Failure("permanent", reason, reason);

/** Something is missing that a person or a later event may bring. Only before the first effect. */
export const missing = (reason) => new Failure("missing", reason, reason);

/** It may work later, no sooner than `afterMs`: the job is tried again. */
export const retry = (reason, afterMs) =>
  new Failure("retry", reason, { reason, afterMs: afterMs === undefined ? undefined : BigInt(afterMs) });
