/** Debian's ssh server, which nothing starts as a service: tests start their own in a namespace. */
import { copyFile } from 'node:fs/promises';
import { join } from 'node:path';
import { which } from '../../src/local/process/exec.ts';
import { installPackages } from '../../src/local/setup/debian.ts';
import type { Part } from './part.ts';

export const sshServerPart: Part = {
  name: 'openssh-server',
  files: ['sshd'],
  async make({ settings, folder, progress }) {
    if (!(await which(settings, 'sshd'))) await installPackages(progress, ['openssh-server']);
    await copyFile((await which(settings, 'sshd')) ?? '/usr/sbin/sshd', join(folder, 'sshd'));
  },
};
