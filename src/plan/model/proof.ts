/**
 * What a message that decides something is proven by: the server's signature over what it says and what it is about.
 * A copy of a message decides nothing else: neither for another job, nor when the job asks again.
 */

export interface Proof {
  /** Id of the key. */
  key: string;
  /** Ed25519, base64url. */
  signature: string;
}
/** The state of the job that a decision is about, as its status says. */
export interface DecidedState {
  /** Counts the decisions about the job that took effect, and its new beginnings. */
  turn: number;
  attempt: number;
}
export interface DecisionProof extends Proof, DecidedState {}

/** `unproven`: the reason, for people. */
export type ProofAnswer = { verdict: 'proven' } | { verdict: 'unproven'; reason: string };

/** What the server sends to control workers about its keys. */
export interface ProofFacts {
  /** Public keys by their id: SPKI, base64. */
  keys: Readonly<Record<string, string>>;
  /**
   * Epoch ms by the server's clock. A message without a proof counts before: it may have been sent by the version
   * before this one.
   */
  requiredFrom: number;
}
