import type { Prover } from '../../src/adapters/ports.ts';
import { DavitError, type ErrorCode } from '../../src/errors.ts';
import type { ControlActivities } from '../contract.ts';

/**
 * A refusal is a result: the environment was deployed again meanwhile, no pipeline file says that it stops so, or the
 * plan is gone.
 */
export const makeProveStop =
  ({ prover }: { prover: Prover }): ControlActivities['proveStop'] =>
  async ({ pipeline, decision }) => {
    try {
      const proof = await prover.prove({ kind: 'decision', pipeline, decision });
      return proof ? { proof } : {};
    } catch (error) {
      if (error instanceof DavitError && REFUSALS.includes(error.code)) return { refused: error.message };
      throw error;
    }
  };

const REFUSALS: readonly ErrorCode[] = ['decision/unproven', 'not-found', 'blob/missing'];
