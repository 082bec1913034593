/**
 * Which values a service can read from a file: official images read NAME from the file that NAME_FILE names. So a masked value
 * is in no environment, which the engine shows to all who may ask it. Pure.
 */
import type { ServiceSpec } from '../model/spec.ts';

const MYSQL = ['ROOT_PASSWORD', 'ROOT_HOST', 'DATABASE', 'USER', 'PASSWORD'];
const READERS: Readonly<Record<string, readonly string[]>> = {
  postgres: ['POSTGRES_PASSWORD', 'POSTGRES_USER', 'POSTGRES_DB', 'POSTGRES_INITDB_ARGS'],
  mysql: MYSQL.map((name) => `MYSQL_${name}`),
  mariadb: [...MYSQL, 'ROOT_PASSWORD_HASH', 'PASSWORD_HASH'].flatMap((name) => [
    `MARIADB_${name}`,
    `MYSQL_${name}`,
  ]),
  mongo: ['MONGO_INITDB_ROOT_USERNAME', 'MONGO_INITDB_ROOT_PASSWORD'],
};
export const FILE_IMAGES: readonly string[] = Object.keys(READERS);

/** Only images of Docker's own library: another repository can have the name and a different entrypoint. */
function officialName(image: string): string | undefined {
  const [path = ''] = image.split('@');
  return /^(?:docker\.io\/)?(?:library\/)?([a-z0-9-]+)(?::[\w.-]+)?$/.exec(path)?.[1];
}

/** Names of the masked variables that the service gets as files. */
export function readsAsFiles({
  name,
  entrypoint,
  variables,
}: Pick<ServiceSpec, 'name' | 'entrypoint' | 'variables'>): string[] {
  const readable = READERS[officialName(name) ?? ''] ?? [];
  // It is the image's own entrypoint that reads files.
  if (entrypoint !== undefined) return [];
  const has = (wanted: string): boolean => variables.some((one) => one.name === wanted);
  return variables
    .filter((one) => one.masked && readable.includes(one.name) && !has(`${one.name}_FILE`))
    .map((one) => one.name);
}
