/**
 * BuildKit's progress: the engine sends protobuf messages (moby.buildkit.v1.StatusResponse in buildkit's
 * control.proto) in base64. They are decoded by field number; unknown fields are skipped, so that newer
 * engines work too. Pure.
 */
import protobuf from 'protobufjs/minimal.js';

export interface BuildStep {
  digest: string;
  name: string;
  cached: boolean;
  /** Epoch ms. */
  started?: number;
  completed?: number;
  error: string;
}
export interface BuildOutput {
  step: string;
  bytes: Uint8Array;
}
export interface BuildProgress {
  steps: BuildStep[];
  output: BuildOutput[];
}

type Reader = protobuf.Reader;
type Field = (reader: Reader) => void;

/** Reads one message: `fields` by number, each takes its value from the reader. */
function readMessage(reader: Reader, length: number, fields: Record<number, Field>): void {
  const end = reader.pos + length;
  while (reader.pos < end) {
    const tag = reader.uint32();
    const field = fields[tag >>> 3];
    if (field) field(reader);
    else reader.skipType(tag & 7);
  }
}

/** Throws the reader's error for bytes that are not such a message. */
export function decodeProgress(base64: string): BuildProgress {
  const bytes = Buffer.from(base64, 'base64');
  const reader = protobuf.Reader.create(bytes);
  const trace: BuildProgress = { steps: [], output: [] };
  readMessage(reader, bytes.length, {
    1: (from) => trace.steps.push(readStep(from)),
    3: (from) => trace.output.push(readOutput(from)),
  });
  return trace;
}

function readStep(reader: Reader): BuildStep {
  const step: BuildStep = { digest: '', name: '', cached: false, error: '' };
  readMessage(reader, reader.uint32(), {
    1: (from) => (step.digest = from.string()),
    3: (from) => (step.name = from.string()),
    4: (from) => (step.cached = from.bool()),
    5: (from) => (step.started = readInstant(from)),
    6: (from) => (step.completed = readInstant(from)),
    7: (from) => (step.error = from.string()),
  });
  return step;
}

function readOutput(reader: Reader): BuildOutput {
  const output: BuildOutput = { step: '', bytes: new Uint8Array() };
  readMessage(reader, reader.uint32(), {
    1: (from) => (output.step = from.string()),
    4: (from) => (output.bytes = from.bytes()),
  });
  return output;
}

function readInstant(reader: Reader): number {
  let seconds = 0;
  let nanos = 0;
  readMessage(reader, reader.uint32(), {
    1: (from) => (seconds = Number(from.int64().toString())),
    2: (from) => (nanos = from.int32()),
  });
  return seconds * 1000 + nanos / 1e6;
}
