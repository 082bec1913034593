/**
 * Images with this machine's docker client and a busybox, so that a job can run `docker` without an image
 * hub.
 */
import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { HELPER_IMAGE } from '../../src/installation.ts';
import type { Arch } from '../../src/plan/model/ids.ts';
import { PLATFORMS } from '../../src/plan/model/spec.ts';
import { sha256 } from '../../src/utils/sha256.ts';

/**
 * Builds `NAME:ARCH` for each architecture. The programs in it are this machine's, whatever the image's
 * architecture: the client only has to run here; a hub's image of that name would have one for each.
 */
export function dockerClientImages(name: string, arches: readonly Arch[]): void {
  const folder = mkdtempSync(join(tmpdir(), 'davit-client-'));
  try {
    const layer = layerOf(folder);
    for (const arch of arches) load(folder, { layer, name: `${name}:${arch}`, arch });
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

const shell = (script: string, ...args: string[]): string =>
  execFileSync('sh', ['-ec', script, 'sh', ...args], { encoding: 'utf8' });

/** `layer.tar` in the folder; returns its digest. */
function layerOf(folder: string): string {
  const root = join(folder, 'root');
  mkdirSync(root);
  shell(
    'id="$(docker create "$1" true)"; docker export "$id" | tar -x -C "$2" --exclude "dev/*"; docker rm "$id" >/dev/null',
    HELPER_IMAGE,
    root,
  );
  const client = realpathSync(shell('command -v docker').trim());
  mkdirSync(join(root, 'usr', 'bin'), { recursive: true });
  cpSync(client, join(root, 'usr', 'bin', 'docker'));
  // A client that is not static needs its libraries.
  for (const [library] of shell('ldd "$1" 2>/dev/null || true', client).matchAll(/\/\S+\.so\S*/g)) {
    mkdirSync(join(root, dirname(library)), { recursive: true });
    cpSync(realpathSync(library), join(root, library));
  }
  shell('tar -c --owner 0 --group 0 -f "$1/layer.tar" -C "$2" .', folder, root);
  return sha256(readFileSync(join(folder, 'layer.tar')));
}

/** The format of `docker save`. */
function load(folder: string, image: { layer: string; name: string; arch: Arch }): void {
  const config = {
    ...PLATFORMS[image.arch],
    config: { Env: ['PATH=/usr/bin:/bin:/sbin'], Cmd: ['sh'] },
    rootfs: { type: 'layers', diff_ids: [`sha256:${image.layer}`] },
  };
  const manifest = [{ Config: 'config.json', RepoTags: [image.name], Layers: ['layer.tar'] }];
  writeFileSync(join(folder, 'config.json'), JSON.stringify(config));
  writeFileSync(join(folder, 'manifest.json'), JSON.stringify(manifest));
  shell('tar -c -C "$1" manifest.json config.json layer.tar | docker load', folder);
}
