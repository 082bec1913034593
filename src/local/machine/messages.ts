/** Messages between `davit up` and the process of this machine. */
import { z } from 'zod';
import { ERRORS, type ErrorCode } from '../../errors.ts';
import { isArch, type Arch } from '../../plan/model/ids.ts';

const workerSchema = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('control') }),
  z.object({
    kind: z.literal('arch'),
    arches: z.array(z.string().refine((text): text is Arch => isArch(text))).min(1),
    /** Architectures other than the engine's own are fine. */
    emulation: z.boolean(),
    configFile: z.string().optional(),
    docker: z.string().optional(),
  }),
  /** All workers of a machine that was added. */
  z.object({ kind: z.literal('machine'), name: z.string() }),
  z.object({
    kind: z.literal('deploy'),
    target: z.string(),
    docker: z.string().optional(),
    permittedOnly: z.boolean().optional(),
  }),
]);
/** One worker of a process that has several. */
export type WorkerSpec = z.infer<typeof workerSchema>;

const requestSchema = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('serve'), worker: workerSchema }),
  /** By the name of `workerName`. */
  z.object({ kind: z.literal('dismiss'), name: z.string() }),
]);
export type ServeRequest = z.infer<typeof requestSchema>;

const reportSchema = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('ready'), name: z.string() }),
  /** Tried again inside of the process. */
  z.object({
    kind: z.literal('failed'),
    name: z.string(),
    code: z
      .string()
      .refine((code): code is ErrorCode => Object.hasOwn(ERRORS, code))
      .optional(),
    message: z.string(),
    hint: z.string().optional(),
  }),
]);
export type WorkerState = z.infer<typeof reportSchema>;

export function readServeRequest(value: unknown): ServeRequest | undefined {
  const parsed = requestSchema.safeParse(value);
  return parsed.success ? parsed.data : undefined;
}

export function readWorkerState(value: unknown): WorkerState | undefined {
  const parsed = reportSchema.safeParse(value);
  return parsed.success ? parsed.data : undefined;
}

/** As `davit up` and the log name it. */
export function workerName(worker: WorkerSpec): string {
  if (worker.kind === 'control') return 'control';
  if (worker.kind === 'machine') return `machine-${worker.name}`;
  if (worker.kind === 'deploy') return `deploy-${worker.target}`;
  return `worker-${worker.arches.join('+')}`;
}
