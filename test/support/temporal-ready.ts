import type { Settings } from '../../src/config.ts';
import { connectTemporal } from '../../src/temporal/client.ts';

/**
 * Resolves when the server answers and has davit's namespace and search attributes. Rejects with
 * `temporal/unreachable`.
 */
export async function temporalReady(
  settings: Pick<Settings, 'temporalNamespace'>,
  address: string,
  deadlineMs: number,
): Promise<void> {
  const { connection } = await connectTemporal({
    address,
    namespace: settings.temporalNamespace,
    deadlineMs,
  });
  await connection.close();
}
