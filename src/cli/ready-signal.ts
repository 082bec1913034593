/** Ready protocol of a process that `davit up` supervises. */
import { READY_MESSAGE } from '../local/process/managed-process.ts';

/**
 * Reports readiness to the supervisor, and ends with it: two generations of processes must not run at the
 * same time.
 */
export async function underSupervision(work: (onReady: () => void) => Promise<void>): Promise<void> {
  const onDisconnect = (): void => void process.kill(process.pid, 'SIGTERM');
  process.once('disconnect', onDisconnect);
  try {
    await work(() => {
      if (process.connected) process.send?.(READY_MESSAGE);
    });
  } finally {
    process.off('disconnect', onDisconnect);
  }
}
