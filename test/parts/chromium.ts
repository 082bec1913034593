/** The browser of `test/integration/temporal-ui.test.ts`: Debian's Chromium. */
import { symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { which } from '../../src/local/process/exec.ts';
import { installPackages, mayInstall } from '../../src/local/setup/debian.ts';
import type { Part } from './part.ts';

/** `chromium`: a link to the program; the package is 100 MB. */
export const chromiumPart: Part = {
  name: 'chromium',
  files: ['chromium'],
  async make({ settings, folder, progress }) {
    if (!(await which(settings, 'chromium')) && (await mayInstall()))
      await installPackages(progress, ['chromium']);
    const program = await which(settings, 'chromium');
    if (!program) throw new Error('There is no chromium on the PATH: install it, for example with apt-get.');
    await symlink(program, join(folder, 'chromium'));
  },
};
