/**
 * `checkProof`: whether a message that decides something was made by the server, or, for the signal `approve`, by a person
 * whose key the installation file names. A question: it changes nothing, so it may be asked again.
 */
import type { Proofs } from '../../src/adapters/ports.ts';
import type { InstallationFacts } from '../../src/installation-facts.ts';
import { proofOf, type Message } from '../../src/plan/model/message.ts';
import type { ProofAnswer } from '../../src/plan/model/proof.ts';

export interface CheckProofDeps {
  proofs: Proofs;
  facts: Pick<InstallationFacts, 'config'>;
  /** Epoch ms by the server's clock. */
  now(): number;
}

export const makeCheckProof =
  ({ proofs, facts, now }: CheckProofDeps) =>
  async (message: Message): Promise<ProofAnswer> => {
    const proof = proofOf(message);
    if (message.kind === 'decision' && message.decision.role === 'temporal') {
      const { actor } = message.decision;
      const named = facts.config.approval_keys.find(({ name }) => name === actor);
      return proof && named && proofs.isSignedBy(named.key, message, proof)
        ? { verdict: 'proven' }
        : unproven('An approval by signal needs the signature of a key under approval_keys.');
    }
    const known = await proofs.known();
    // A server of the version before this one proves nothing.
    if (!known || (!proof && now() < known.requiredFrom)) return { verdict: 'proven' };
    if (!proof) return unproven(`The ${NAMES[message.kind]} has no proof that the server made it.`);
    const key = known.keys[proof.key] ?? (await proofs.again())?.keys[proof.key];
    return key !== undefined && proofs.isSignedBy(key, message, proof)
      ? { verdict: 'proven' }
      : unproven(`The ${NAMES[message.kind]} was not made by the server, or was changed.`);
  };

const NAMES: Record<Message['kind'], string> = {
  decision: 'decision',
  cancel: 'cancel request',
  trigger: 'request for a pipeline',
  stopEnvironment: 'request to stop an environment',
  stopRef: 'request to stop the environments of a ref',
};
const unproven = (reason: string): ProofAnswer => ({ verdict: 'unproven', reason });
