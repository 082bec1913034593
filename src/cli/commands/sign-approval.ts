/** `davit key sign`: the content of Temporal's signal `approve`, signed by an operator. */
import { createPrivateKey, sign } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { InvalidArgumentError, type Command } from 'commander';
import { DavitError } from '../../errors.ts';
import { parsePipelineId, type PipelineId } from '../../plan/model/ids.ts';
import { signedText } from '../../plan/model/message.ts';
import type { DecidedState } from '../../plan/model/proof.ts';
import type { ApproveSignal, Decision } from '../../plan/model/protocol.ts';
import type { Cli } from '../cli.ts';

interface Options extends DecidedState {
  name: string;
  key: string;
}

export function signCommand(key: Command, cli: Cli): void {
  key
    .command('sign')
    .description("sign an approval for Temporal's signal, where approve_by_signal is on")
    .argument('<id>', 'PROJECT/NUMBER')
    .argument('<job>', 'name of the job')
    .requiredOption('--name <name>', 'name of the key under approval_keys of the installation file')
    .requiredOption('--key <file>', 'private key, Ed25519, PEM')
    .requiredOption('--turn <n>', 'turn of the job, from the status of the pipeline', count)
    .requiredOption('--attempt <n>', 'attempt of the job, from the status of the pipeline', count)
    .addHelpText(
      'after',
      '\nExample:\n  $ davit key sign table/3 deploy --name olga --key olga.pem --turn 0 --attempt 0',
    )
    .action(async (id: string, job: string, options: Options) => {
      if (!isPipeline(id))
        throw new DavitError('usage/invalid', `${id} does not name a pipeline as PROJECT/NUMBER.`);
      cli.io.out(`${JSON.stringify(await signedApproval(id, job, options))}\n`);
    });
}

const isPipeline = (id: string): id is PipelineId => parsePipelineId(id) !== undefined;

function count(text: string): number {
  if (!/^\d{1,9}$/.test(text)) throw new InvalidArgumentError('It must be a number from 0.');
  return Number(text);
}

async function signedApproval(
  pipeline: PipelineId,
  job: string,
  { name, key, turn, attempt }: Options,
): Promise<ApproveSignal> {
  const state = { turn, attempt };
  const decision: Decision = {
    ...{ action: 'play', job, actor: name, role: 'temporal' },
    proof: { ...state, key: name, signature: '' },
  };
  const text = Buffer.from(signedText({ kind: 'decision', pipeline, decision }));
  const signature = sign(null, text, await privateKey(key)).toString('base64url');
  return { job, by: name, proof: { ...state, key: name, signature } };
}

async function privateKey(path: string): Promise<ReturnType<typeof createPrivateKey>> {
  try {
    const key = createPrivateKey(await readFile(path, 'utf8'));
    if (key.asymmetricKeyType === 'ed25519') return key;
  } catch (cause) {
    throw new DavitError('usage/invalid', `${path} cannot be read as a private key in PEM.`, { cause });
  }
  throw new DavitError('usage/invalid', `${path} is not an Ed25519 key.`);
}
