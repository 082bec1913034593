/** An image with this machine's git, so that a job can clone without an image hub. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { HELPER_IMAGE } from '../../src/installation.ts';

/** Programs with their libraries, on the helper image's busybox. */
const MAKE = `
core="$(git --exec-path)"
mkdir -p "$1/usr/bin" "$1$core" "$1/root" "$1/tmp" "$1/etc"
cp "$(readlink -f "$(command -v git)")" "$1/usr/bin/git"
cp "$core/git-remote-http" "$1$core/"
ln -s git-remote-http "$1$core/git-remote-https"
ln -s /usr/bin/git "$1$core/git"
for program in "$1/usr/bin/git" "$1$core/git-remote-http"; do
  ldd "$program" | grep -o '/[^ ]*' | while read -r library; do
    mkdir -p "$1$(dirname "$library")"
    cp -L "$library" "$1$library"
  done
done
cp -r /usr/share/git-core "$1/usr/share/" 2>/dev/null || true
id="$(docker create "$2" true)"
docker export "$id" | tar -x -C "$1" --exclude 'dev/*' --exclude 'etc/*' --keep-old-files 2>/dev/null || true
docker rm "$id" >/dev/null
tar -c --owner 0 --group 0 -C "$1" . | docker import --change 'ENV PATH=/usr/bin:/bin:/sbin' --change 'ENV HOME=/root' - "$3" >/dev/null
`;

export function gitImage(name: string): void {
  const folder = mkdtempSync(join(tmpdir(), 'davit-git-image-'));
  try {
    execFileSync('sh', ['-ec', MAKE, 'sh', folder, HELPER_IMAGE, name], {
      stdio: ['ignore', 'inherit', 'inherit'],
    });
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
