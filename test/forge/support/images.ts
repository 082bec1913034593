import { execFileSync } from 'node:child_process';

/** Removes what this machine's engine has of an image; nothing if there is none. */
export const removeImages = (image: string): void => {
  execFileSync('sh', ['-c', 'docker rmi -f $(docker images -q "$1") || true', 'sh', image], {
    stdio: 'ignore',
  });
};
