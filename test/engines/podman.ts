/** Podman's service as the engine of a sandbox, rootful, with all of its state in one folder. */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Daemon } from './kinds.ts';

/**
 * The registries of tests are on loopback, without TLS. Podman, unlike Docker, does not trust them by itself.
 */
const REGISTRIES = `unqualified-search-registries = ["docker.io"]
[[registry]]
location = "127.0.0.1"
insecure = true
`;
/** By default Podman gives containers more rights than the root of a restricted machine has. */
const LIMIT = 4_096;

export function podmanDaemon(folder: string): Daemon {
  const files = {
    'containers.conf': `[engine]
cgroup_manager = "cgroupfs"
events_logger = "file"
lock_type = "file"
runtime = "${hasCgroupV1() ? 'runc' : 'crun'}"
[network]
network_backend = "netavark"
network_config_dir = "${join(folder, 'networks')}"
[containers]
default_ulimits = ["nofile=${LIMIT}:${LIMIT}", "nproc=${LIMIT}:${LIMIT}"]
`,
    'registries.conf': REGISTRIES,
  };
  const podman = [
    'env',
    `CONTAINERS_CONF=${join(folder, 'containers.conf')}`,
    `CONTAINERS_REGISTRIES_CONF=${join(folder, 'registries.conf')}`,
    'podman',
    '--root',
    join(folder, 'data'),
    '--runroot',
    '/run/containers/storage',
  ] as const;
  return {
    files,
    command: [...podman, 'system', 'service', '--time=0', 'unix:///var/run/docker.sock'],
    // Containers have monitor processes, which do not end with the service.
    last: [...podman, 'rm', '--all', '--force', '--time', '0'],
  };
}

/** crun, Podman's default, does not start containers there. */
const hasCgroupV1 = (): boolean => !readdirSync('/sys/fs/cgroup').includes('cgroup.controllers');
