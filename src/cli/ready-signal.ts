/** A process of davit under `davit up`. */
import { READY_MESSAGE } from '../local/process/managed-process.ts';

/** Tells the supervisor when it is ready, and ends when the supervisor is gone: two generations must not run side by side. */
export async function underSupervision(work: (onReady: () => void) => Promise<void>): Promise<void> {
  const gone = (): void => void process.kill(process.pid, 'SIGTERM');
  process.once('disconnect', gone);
  try {
    await work(() => {
      if (process.connected) process.send?.(READY_MESSAGE);
    });
  } finally {
    process.off('disconnect', gone);
  }
}
