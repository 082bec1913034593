/** Engine versions that the operator of this machine goes on with. */
import { readWorkerConfig } from '../../../workers/parts/worker-config.ts';
import type { Settings } from '../../config.ts';
import { ownConfig } from '../processes.ts';

/** Reads the configuration of the workers that `davit up` starts here. An invalid file accepts nothing; starting a worker reports it. */
export async function acceptedVersions(settings: Settings): Promise<readonly string[]> {
  try {
    return (await readWorkerConfig(ownConfig(settings))).accept_engine_versions;
  } catch {
    return [];
  }
}
