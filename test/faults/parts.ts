/** The processes of a world and their arguments. */
import { writeFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';

export const PARTS = ['server', 'arch', 'control', 'deploy'] as const;
/** Started by rows that need a second one, and ended by the next healing. */
export const SPARES = ['arch2', 'deploy2', 'board2'] as const;
export type PartName = (typeof PARTS)[number] | (typeof SPARES)[number];

/** Path of the socket of a border. */
export const socketOf = (home: string, name: string): string => join(home, `${name}.sock`);

/** The address of the engine behind a border, in the form of `--docker`. */
export type DockerOf = (name: string) => string;

/** A process for each part, or one that is server, control worker, architecture worker and deploy worker. */
export type Shape = 'separate' | 'one-process';

/** Whose borders and log the one process has. */
export const ONE = 'arch' satisfies PartName;

/** For jobs that the second machine must not take. */
const FIRST_MACHINE = 'tags: [board]\n';

/** Path of the configuration of a worker, written into `home`. */
function workerFile(home: string, name: string, config: string): string {
  const file = join(home, `${name}.yml`);
  writeFileSync(file, config);
  return file;
}

/** Arguments of the one process; writes the configuration that they name into `home`. */
export const machineArguments = (home: string, serverPort: number, dockerOf: DockerOf): string[] => [
  ...['machine', '--port', String(serverPort), '--control'],
  ...['--arch', 'amd64', '--docker', dockerOf(ONE)],
  ...['--config', workerFile(home, ONE, FIRST_MACHINE), '--deploy', 'prod'],
];

/** Arguments of `davit`; writes the configurations that they name into `home`. */
export function argumentsOf(
  home: string,
  serverPort: number,
  dockerOf: DockerOf,
): Record<PartName, string[]> {
  const worker = (name: string, config: string): string[] => {
    const args = ['worker', '--arch', 'amd64', '--docker', dockerOf(name)];
    return [...args, '--config', workerFile(home, name, config)];
  };
  return {
    server: ['server', '--port', String(serverPort)],
    arch: worker('arch', FIRST_MACHINE),
    control: ['worker', '--control'],
    deploy: ['worker', '--deploy', 'prod'],
    arch2: worker('arch2', 'tags: [small]\nmemory: 33554432\n'),
    deploy2: ['worker', '--deploy', 'prod'],
    board2: worker('board2', 'tags: [live]\n'),
  };
}

/** The environment of a process: nothing of the machine's but PATH. */
export const environmentOf = (of: {
  home: string;
  cache: string;
  /** A secret that no log may show. */
  canary: string;
  /** File with what its clock is off by. */
  clock: string;
  /** Folder with the `ssh` of the world. */
  ssh: string | undefined;
  /** Ports. */
  server: number;
  temporal: number | undefined;
}): NodeJS.ProcessEnv => ({
  PATH: [...(of.ssh === undefined ? [] : [of.ssh]), process.env.PATH].join(delimiter),
  HOME: of.home,
  CI: 'true',
  DAVIT_HOME: of.home,
  DAVIT_CACHE: of.cache,
  DAVIT_SERVER: `http://127.0.0.1:${of.server}`,
  DAVIT_FAULTS_CANARY: of.canary,
  DAVIT_FAULTS_CLOCK: of.clock,
  DAVIT_LOG_LEVEL: 'warn',
  TEMPORAL_ADDRESS: `127.0.0.1:${of.temporal}`,
});
