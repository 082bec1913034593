/** The version of davit; package.json is the one place that has it. */
import manifest from '../package.json' with { type: 'json' };

export const VERSION: string = manifest.version;

/** The oldest version whose server and workers may run beside those of this one, for the time of an upgrade. */
export const OLDEST_BESIDES = '0.1.0';
