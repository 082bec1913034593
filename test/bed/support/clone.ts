/** Gives a machine's engine the id that davit has made for another: a card that was cloned after davit used it. */
import type { Machine } from './machine.ts';

const VOLUME = 'name=davit-host';

/** Returns the name of the volume. */
export async function cloneId(from: Machine, to: Machine): Promise<string> {
  const [volume = ''] = (await from.run('docker', 'volume', 'ls', '-q', '--filter', VOLUME)).split('\n');
  const labels = JSON.parse(
    await from.run('docker', 'volume', 'inspect', '--format', '{{json .Labels}}', volume),
  ) as Record<string, string>;
  await to.run('sh', '-c', `docker volume rm ${volume} 2>/dev/null || true`);
  const options = Object.entries(labels).flatMap(([key, value]) => ['--label', `${key}=${value}`]);
  await to.run('docker', 'volume', 'create', ...options, volume);
  return volume;
}
