/** systemd's own check of units, from Debian's package; nothing of it is started. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { which } from '../../src/local/process/exec.ts';
import { installPackages } from '../../src/local/setup/debian.ts';
import type { Part } from './part.ts';

export const systemdPart: Part = {
  name: 'systemd',
  files: ['complete'],
  async make({ settings, folder, progress }) {
    if (!(await which(settings, 'systemd-analyze'))) await installPackages(progress, ['systemd']);
    await writeFile(join(folder, 'complete'), '');
  },
};
