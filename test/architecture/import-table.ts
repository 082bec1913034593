/**
 * The import rules as data. A file belongs to the first area whose folder matches. A target is a folder
 * (`src/plan/`), a file, a package, or `node:*`; `types:` before it allows it in types only.
 */
export interface Area {
  /** Path prefix, or a whole file. */
  of: string;
  may: readonly string[];
}

/** Pure, or a registry of constants: open to all but `src/plan`. */
const OPEN = [
  'src/errors.ts',
  'src/version.ts',
  'src/plan/',
  'src/match/',
  'src/utils/message.ts',
  'src/utils/duration.ts',
];
/** Pure data or functions that know neither engine nor store. */
const PURE = [
  ...OPEN,
  'src/installation.ts',
  'src/installation-facts.ts',
  'src/installation-includes.ts',
  'src/masking/',
  'src/utils/sha256.ts',
  'src/utils/store-names.ts',
  'src/utils/unless-aborted.ts',
  'src/utils/clone-auth.ts',
  'src/utils/is-alive.ts',
  'src/utils/untrusted.ts',
  'src/utils/retry.ts',
  'src/utils/shell-quote.ts',
  'src/utils/size-text.ts',
  'src/utils/tar.ts',
];
/** How failures of streams are handled. */
const STREAMS = ['src/utils/coded-stream.ts', 'src/utils/error-listener.ts'];
/** What a process may use that is not the task of the network or disk. */
const CALM_NODE = [
  'node:crypto',
  'node:stream',
  'node:stream/consumers',
  'node:stream/promises',
  'node:timers/promises',
  'node:zlib',
  'node:path',
  'node:util',
  'node:buffer',
  'node:events',
];
const SERVER = [
  ...PURE,
  ...STREAMS,
  'src/server/',
  'src/compiler/',
  'src/temporal/',
  'src/config.ts',
  'src/wiring.ts',
  'src/wiring-server.ts',
  'src/adapters/http/wire.ts',
  'types:src/adapters/ports.ts',
  'src/adapters/ports.ts',
  'types:workflows/',
  'types:activities/contract.ts',
  '@temporalio/client',
  '@temporalio/common',
  'node:*',
];

/**
 * What every part of a workflow may use. The parts are ordered: a job knows neither its pipeline nor the
 * project.
 */
const WORKFLOW = [
  'workflows/activities.ts',
  'workflows/changes.ts',
  'workflows/failures.ts',
  'workflows/proof.ts',
  'workflows/upstream-link.ts',
  'workflows/versions.ts',
  'workflows/visibility.ts',
  'src/plan/',
  'src/utils/message.ts',
  'types:src/errors.ts',
  'types:activities/contract.ts',
  '@temporalio/workflow',
  '@temporalio/common',
];

export const AREAS: readonly Area[] = [
  { of: 'src/plan/model/', may: ['src/plan/model/'] },
  { of: 'src/plan/policy/', may: ['src/plan/'] },
  {
    of: 'src/match/',
    may: ['src/match/', 'src/errors.ts', 'src/plan/model/ids.ts', 'src/utils/message.ts', 're2js'],
  },
  { of: 'src/errors.ts', may: [] },
  { of: 'src/version.ts', may: ['package.json'] },
  // Workflows use the others, so only this one may import from Node.
  { of: 'src/utils/sha256.ts', may: ['node:crypto'] },
  { of: 'src/utils/store-names.ts', may: ['src/utils/sha256.ts'] },
  { of: 'src/utils/clone-auth.ts', may: ['types:src/adapters/ports.ts', 'types:src/installation.ts'] },
  { of: 'src/utils/retry.ts', may: ['src/errors.ts', 'node:timers/promises'] },
  { of: 'src/utils/tar.ts', may: ['types:tar-stream'] },
  { of: 'src/utils/coded-stream.ts', may: ['node:stream', 'src/utils/error-listener.ts'] },
  { of: 'src/utils/error-listener.ts', may: ['types:node:events'] },
  { of: 'src/utils/', may: [] },
  { of: 'src/masking/', may: ['src/masking/', ...OPEN] },
  { of: 'src/installation-facts.ts', may: ['src/plan/', 'types:src/installation.ts'] },
  {
    of: 'src/installation.ts',
    may: ['src/installation-fields.ts', 'src/installation-includes.ts', 'src/plan/', 'zod'],
  },
  { of: 'src/installation-includes.ts', may: ['zod'] },
  { of: 'src/installation-fields.ts', may: ['src/plan/', 'zod'] },
  { of: 'src/config.ts', may: ['node:os', 'node:path'] },
  {
    of: 'src/compiler/',
    may: ['src/compiler/', ...PURE, 'zod', 'yaml', 're2js'],
  },
  { of: 'workflows/job/', may: ['workflows/job/', ...WORKFLOW] },
  { of: 'workflows/pipeline/', may: ['workflows/pipeline/', 'workflows/job/', ...WORKFLOW] },
  { of: 'workflows/project/', may: ['workflows/project/', ...WORKFLOW] },
  {
    of: 'workflows/index.ts',
    may: ['workflows/pipeline/pipeline.ts', 'workflows/project/project.ts', 'workflows/commit-status.ts'],
  },
  { of: 'workflows/', may: WORKFLOW },
  {
    of: 'activities/job/detach-former.ts',
    may: [
      'activities/',
      ...PURE,
      'src/adapters/ports.ts',
      '@temporalio/activity',
      '@temporalio/common',
      '@temporalio/client',
    ],
  },
  {
    of: 'activities/index.ts',
    may: ['activities/', ...PURE, 'types:src/config.ts', 'src/adapters/ports.ts', 'types:src/wiring.ts'],
  },
  {
    of: 'activities/',
    may: [
      'activities/',
      ...PURE,
      'src/compiler/',
      'src/adapters/ports.ts',
      '@temporalio/activity',
      '@temporalio/common',
      ...CALM_NODE,
      'tar-stream',
    ],
  },
  {
    of: 'src/adapters/',
    may: [
      'src/adapters/',
      ...PURE,
      ...STREAMS,
      'node:*',
      'dockerode',
      'undici',
      'tar-stream',
      'zod',
      'yaml',
      'protobufjs',
    ],
  },
  {
    of: 'src/wiring.ts',
    may: ['src/adapters/', 'src/config.ts', ...PURE, 'src/compiler/installation-file.ts', 'node:*'],
  },
  { of: 'src/wiring-server.ts', may: ['src/adapters/', 'src/config.ts', ...PURE] },
  {
    of: 'src/temporal/',
    may: [
      'src/temporal/',
      ...PURE,
      'types:src/config.ts',
      'types:src/adapters/ports.ts',
      'types:workflows/',
      'types:activities/contract.ts',
      'src/utils/code-extension.ts',
      '@temporalio/client',
      '@temporalio/common',
      '@temporalio/worker',
      '@temporalio/proto',
      'node:*',
    ],
  },
  // Pure: how states, times and logs are worded, for terminals and for the server's pages.
  {
    of: 'src/cli/view/',
    may: [
      'src/cli/view/',
      ...OPEN,
      'types:src/server/',
      'types:src/adapters/ports.ts',
      'src/compiler/problems.ts',
      'src/utils/size-text.ts',
      'node:util',
    ],
  },
  { of: 'src/server/view/', may: [...SERVER, 'src/cli/view/', 'fastify', 'zod'] },
  { of: 'src/server/', may: [...SERVER, 'fastify', 'pino', 'zod'] },
  {
    of: 'src/cli/',
    may: [
      ...SERVER,
      'src/cli/',
      'src/local/',
      'src/worktree/',
      'workers/',
      'commander',
      'eventsource-parser',
      'pino',
      'zod',
    ],
  },
  { of: 'src/local/', may: ['*'] },
  { of: 'src/worktree/', may: ['*'] },
  {
    of: 'workers/',
    may: [
      'workers/',
      'activities/',
      ...PURE,
      'src/compiler/',
      'src/adapters/',
      'src/wiring.ts',
      'src/config.ts',
      'src/temporal/',
      'types:workflows/',
      '@temporalio/worker',
      '@temporalio/client',
      '@temporalio/common',
      '@temporalio/activity',
      'pino',
      'tar-stream',
      'node:*',
    ],
  },
];

/** The area's rule that allows an import, or undefined. */
export function allowedBy(area: Area, target: string, typeOnly: boolean): string | undefined {
  return area.may.find((rule) => {
    const types = rule.startsWith('types:');
    const name = types ? rule.slice('types:'.length) : rule;
    if (types && !typeOnly) return false;
    if (name === '*') return true;
    if (name === 'node:*') return target.startsWith('node:');
    return name.endsWith('/') ? target.startsWith(name) : target === name;
  });
}

export const areaOf = (path: string): Area | undefined =>
  AREAS.find((area) => (area.of.endsWith('/') ? path.startsWith(area.of) : path === area.of));

/** What every family of activities may use. */
const ACTIVITY_COMMON = ['activities/contract.ts', 'activities/runtime/', 'activities/runtime/log/'] as const;
/** The folders of a job, lowest first: each one uses those before it. */
const JOB_ROOMS = [
  'activities/job/context/',
  'activities/job/container/',
  'activities/job/sidecars/',
  'activities/job/files/',
  'activities/job/cache/',
  'activities/job/start/',
  'activities/job/finish/',
  'activities/job/run/',
  'activities/job/',
];
const FAMILIES = [
  'activities/image/',
  'activities/deploy/',
  'activities/compile/',
  'activities/downstream/',
  'activities/pipeline/',
];

/**
 * The folders inside activities/ and the folders that each may import, besides itself: never upward, never
 * across families.
 */
export const ACTIVITY_ROOMS: ReadonlyMap<string, readonly string[]> = new Map<string, readonly string[]>([
  ['activities/contract.ts', []],
  ['activities/runtime/', ['activities/contract.ts']],
  ['activities/runtime/log/', ['activities/contract.ts', 'activities/runtime/']],
  ...JOB_ROOMS.map(
    (room, index) =>
      [room, [...ACTIVITY_COMMON, ...JOB_ROOMS.slice(0, index)]] satisfies [string, readonly string[]],
  ),
  ...FAMILIES.map((room) => [room, ACTIVITY_COMMON] satisfies [string, readonly string[]]),
  ['activities/index.ts', [...ACTIVITY_COMMON, ...FAMILIES]],
]);

/** The innermost of these folders that contains a path of activities/. */
export const activityRoomOf = (path: string): string | undefined =>
  [...ACTIVITY_ROOMS.keys()]
    .filter((room) => (room.endsWith('/') ? path.startsWith(room) : path === room))
    .reduce<string | undefined>(
      (inner, room) => (room.length > (inner?.length ?? 0) ? room : inner),
      undefined,
    );
